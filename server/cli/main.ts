#!/usr/bin/env node
/** The `slipway` command. What a command needs beyond talking to a server is imported when it runs. */
import { Command, CommanderError } from 'commander';
import { AppError, messageOf } from '../../pipelines/errors.ts';
import { addBuildCommands, type RunCommand } from './builds.ts';
import { addDeploymentCommands } from './deployments.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import { addHookCommand } from './hook.ts';
import { addImportCommand } from './import.ts';
import { addLintCommand } from './lint.ts';
import { addLocalCommands } from './local.ts';
import { printJson } from './output.ts';
import { addPeopleCommands } from './people.ts';
import { addStatusCommand } from './status.ts';

/** Sets the exit code of the process and lets it end by itself, so that all output is written. */
const run: RunCommand = async (command) => {
  process.exitCode = await command();
};

const program = new Command('slipway')
  .description('Builds images, deploys compose stacks and promotes the same digests from DEV to PRO.')
  .helpOption('-h, --help', 'show help')
  .helpCommand(false)
  .showHelpAfterError('(see slipway -h)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Environment:
  SLIPWAY_URL     the server (default: http://127.0.0.1:8080)
  SLIPWAY_TOKEN   a token of yours (see slipway token create -h)
  NO_COLOR        no colours, on a terminal either

Exit codes:
  0 ok · 1 the run failed · 2 wrong usage · 3 refused by the server or a gate · 4 the server cannot be reached

Examples:
  slipway lint slipway.yml
  slipway build -p shop -w api --wait
  slipway promote shop 2.4.1 PRO
  slipway status`,
  );

addLocalCommands(program, run);
addLintCommand(program, run);
addImportCommand(program, run);
addBuildCommands(program, run);
addDeploymentCommands(program, run);
addStatusCommand(program, run);
addPeopleCommands(program, run);
addHookCommand(program, run);

// Whoever reads our output may stop reading: `slipway logs … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
);

try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = explain(thrown, process.argv.includes('--json'));
}

function explain(thrown: unknown, asJson: boolean): ExitCode {
  // Commander has printed its own.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (thrown instanceof CliError) {
    if (asJson) printJson({ error: { detail: thrown.message, ...thrown.problem } });
    else console.error(`slipway: ${thrown.message}`);
    return thrown.exitCode;
  }
  if (thrown instanceof AppError) {
    console.error(`slipway: ${thrown.message}`);
    return thrown.code === 'invalid' ? EXIT.usage : EXIT.failed;
  }
  console.error(thrown instanceof Error ? thrown.stack : messageOf(thrown));
  return EXIT.failed;
}
