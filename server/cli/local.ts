/** `slipway server` and `slipway run`: the commands that need no server to talk to. */
import type { Command } from 'commander';
import { parameter, type RunCommand } from './builds.ts';
import { EXIT, type ExitCode } from './exit.ts';
import type { RunOptions } from './run.ts';

export function addLocalCommands(program: Command, run: RunCommand): void {
  program
    .command('server')
    .description('run the server; its settings are environment variables')
    .addHelpText(
      'after',
      `
Examples:
  slipway server
  SLIPWAY_DATA=/var/lib/slipway SLIPWAY_PORT=80 SLIPWAY_PUBLIC_URL=https://ci.example.com slipway server`,
    )
    .action(() => run(serve));

  program
    .command('run')
    .description('run the steps of this checkout on the local engine; needs no server, pushes and deploys nothing')
    .argument('[step]', 'only this step and what it needs (default: all)')
    .option('-f, --file <file>', 'the pipeline file', 'slipway.yml')
    .option('--secret <name>', 'a secret, taken from the environment variable of that name; repeat it for more', append)
    .option('--param <name=value>', 'a parameter of the pipeline; repeat it for more', parameter)
    .option('--artifacts <folder>', 'keep the artifacts in this folder')
    .option('--json', 'print what became of it as JSON; the output of the steps goes to standard error')
    .addHelpText(
      'after',
      `
The steps work on a copy of the files that Git knows or would add here: what is ignored stays out, and no step can touch
the checkout. Images are built, but not pushed; no release is made.

Examples:
  slipway run
  slipway run unit --artifacts out
  NPM_TOKEN=… slipway run site --secret NPM_TOKEN`,
    )
    .action((step: string | undefined, options: RunOptions) =>
      run(async () => (await import('./run.ts')).runHere(step, options)),
    );
}

const append = (value: string, before: string[] = []): string[] => [...before, value];

/** Ends with a signal, once the server has stopped what it may stop. */
async function serve(): Promise<ExitCode> {
  const { startServer } = await import('../main.ts');
  const server = await startServer(process.env);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  await server.stop();
  return EXIT.ok;
}
