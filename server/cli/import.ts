/** `slipway import`: a pipeline file from what Jenkins has of a job. Needs no server, and runs nothing of it. */
import { readFile, writeFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { AppError } from '../../pipelines/errors.ts';
import type { Imported, Note } from '../import/index.ts';
import type { RunCommand } from './builds.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import { paint, printJson } from './output.ts';

interface ImportOptions {
  output?: string;
  json?: boolean;
}

export function addImportCommand(program: Command, run: RunCommand): void {
  program
    .command('import')
    .description('make a slipway.yml of a Jenkinsfile, or of the config.xml of a Jenkins job; needs no server')
    .argument('<file>', 'the Jenkinsfile or config.xml, or - for standard input')
    .option('-o, --output <file>', 'write the pipeline file here, and not to standard output')
    .option('--json', 'print {yaml, notes: [{line, text, why}]}')
    .addHelpText(
      'after',
      `
Nothing is run or sent anywhere. What could not be carried over is a comment at its place in the file; the same list goes to
standard error. A file that is there already is not overwritten.

Examples:
  slipway import Jenkinsfile --output slipway.yml && slipway lint slipway.yml && slipway run
  curl -fsS https://jenkins.example.com/job/shop/config.xml | slipway import -`,
    )
    .action((file: string, options: ImportOptions) => run(() => importFile(file, options)));
}

async function importFile(file: string, options: ImportOptions): Promise<ExitCode> {
  const [text, { importJob }] = await Promise.all([read(file), import('../import/index.ts')]);
  const imported = readable(file, () => importJob(text));
  if (options.output !== undefined) await writeNew(options.output, imported.yaml);
  if (options.json) printJson(imported);
  else {
    if (options.output === undefined) process.stdout.write(imported.yaml);
    for (const line of report(file, imported)) console.error(line);
  }
  return EXIT.ok;
}

function readable(file: string, make: () => Imported): Imported {
  try {
    return make();
  } catch (thrown) {
    if (thrown instanceof AppError) throw usage(`${file === '-' ? 'standard input' : file}: ${thrown.message}`);
    throw thrown;
  }
}

function report(file: string, { notes }: Imported): string[] {
  const name = file === '-' ? 'standard input' : file;
  if (notes.length === 0) return [`${paint('green', '✓')} all of ${name} is carried over`];
  const count = notes.length === 1 ? 'One thing' : `${notes.length} things`;
  return [...notes.map((note) => lineOf(name, note)), `${count} to look at: each is a comment in the pipeline file.`];
}

function lineOf(name: string, { line, text, why }: Note): string {
  const [first = ''] = text.trim().split('\n');
  // What stands in the file could steer a terminal.
  const shown = `${first.slice(0, 100)}${first.length > 100 ? '…' : ''} - ${why}`.replace(/\p{Cc}/gu, ' ');
  return `${paint('yellow', '–')} ${name}${line === null ? '' : `:${line}`}: ${shown}`;
}

async function read(file: string): Promise<string> {
  if (file === '-') return readAll(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    throw usage(`cannot read ${file}: ${(thrown as NodeJS.ErrnoException).code}`);
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw usage(code === 'EEXIST' ? `${file} is there already` : `cannot write ${file}: ${code}`);
  }
}
