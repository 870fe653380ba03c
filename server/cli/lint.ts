/** `slipway lint`: whether a pipeline file is right, and what its filters would have built. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { RunCommand } from './builds.ts';
import { type Api, at, connect } from './client.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import { paint, printJson, table } from './output.ts';

interface LintOptions {
  json?: boolean;
  against?: string;
  branch?: string;
  last?: number;
}

interface Trial {
  branch: string;
  items: { revision: string; author: string | null; message: string; builds: boolean; reason: string | null }[];
}

export function addLintCommand(program: Command, run: RunCommand): void {
  program
    .command('lint')
    .description('check a pipeline file; needs no server, unless its filters are tried with --against')
    .argument('<file>', 'slipway.yml, or - for standard input')
    .option('--against <pipeline>', 'PROJECT/PIPELINE: try the filters of on: on its newest revisions')
    .option('-b, --branch <branch>', "with --against: the branch (default: the pipeline's first)")
    .option('-n, --last <count>', 'with --against: how many revisions (default: 50)', count)
    .option('--json', 'print {ok, errors: [{message, line, column, path}], branch?, revisions?}')
    .addHelpText(
      'after',
      `
Examples:
  slipway lint slipway.yml
  slipway lint slipway.yml --against shop/api -b release/2.4
  git show HEAD:slipway.yml | slipway lint -`,
    )
    .action((file: string, options: LintOptions) => run(() => lint(file, options)));
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 200) throw usage(`--last ${text}: expected a number, 1 to 200`);
  return value;
}

async function lint(file: string, options: LintOptions): Promise<ExitCode> {
  const [text, { parsePipeline }] = await Promise.all([read(file), import('../../pipelines/parse.ts')]);
  const result = parsePipeline(text);
  const errors = result.ok ? [] : result.errors;
  const name = file === '-' ? 'standard input' : file;
  const trial = result.ok && options.against !== undefined ? await tryFilters(connect(), text, options) : null;
  if (options.json) {
    printJson({ ok: result.ok, errors, ...(trial && { branch: trial.branch, revisions: trial.items }) });
  } else if (result.ok) console.log(`${paint('green', '✓')} ${name} is fine`);
  else
    for (const error of errors)
      console.log(`${paint('red', '✗')} ${name}:${error.line}:${error.column} ${error.message}`);
  if (trial && !options.json) printTrial(trial);
  return result.ok ? EXIT.ok : EXIT.failed;
}

async function tryFilters(api: Api, definition: string, { against = '', branch, last }: LintOptions): Promise<Trial> {
  const [, project, pipeline] = /^([^/]+)\/([^/]+)$/.exec(against) ?? [];
  if (!project || !pipeline) throw usage(`--against ${against}: expected PROJECT/PIPELINE`);
  const path = at`/projects/${project}/pipelines/${pipeline}/filters`;
  return api.post<Trial>(path, { definition, branch, limit: last });
}

function printTrial({ branch, items }: Trial): void {
  const built = items.filter(({ builds }) => builds).length;
  console.log(`\n${built} of the last ${items.length} revisions of ${branch} would have been built:\n`);
  const rows = items.map(({ revision, author, message, builds, reason }) => [
    builds ? paint('green', '✓') : paint('dim', '–'),
    revision.slice(0, 12),
    (author ?? '–').slice(0, 20),
    message.split('\n', 1)[0]?.slice(0, 60) ?? '',
    reason === null ? '' : paint('dim', reason.slice(0, 100)),
  ]);
  if (rows.length > 0) console.log(table(rows));
}

async function read(file: string): Promise<string> {
  if (file === '-') return readAll(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    throw usage(`cannot read ${file}: ${(thrown as NodeJS.ErrnoException).code}`);
  }
}
