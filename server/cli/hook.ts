/** `slipway hook install`: prints the hook of a repository; needs no server. */
import { type Command, Option } from 'commander';
import { type HookScriptOptions, hookScript } from '../hooks/scripts.ts';
import type { RunCommand } from './builds.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { printJson } from './output.ts';

interface InstallOptions extends Omit<HookScriptOptions, 'windows'> {
  windows?: boolean;
  json?: boolean;
}

export function addHookCommand(program: Command, run: RunCommand): void {
  program
    .command('hook')
    .description('hooks of repositories that no GitHub, GitLab or Gitea serves')
    .command('install')
    .description('print the hook that tells Slipway of each push or commit')
    .requiredOption('-p, --project <project>', 'the project')
    .requiredOption('-w, --pipeline <pipeline>', 'the pipeline')
    .requiredOption('--url <url>', 'the server, as the machine with the repository reaches it')
    .addOption(new Option('--kind <kind>', 'the repository').choices(['git', 'svn']).default('git'))
    .option('--windows', 'for SVN on Windows: a .bat that uses PowerShell')
    .option('--json', 'print {file, text}')
    .addHelpText(
      'after',
      `
Nothing is installed: save what is printed in the hooks folder of the repository. It says how, and where it finds the
secret, which is that of the pipeline (its hookSecret).

Examples:
  slipway hook install -p shop -w api --url https://ci.example.com >/srv/git/shop.git/hooks/post-receive
  slipway hook install --kind svn -p shop -w web --url https://ci.example.com >/srv/svn/shop/hooks/post-commit`,
    )
    .action((options: InstallOptions) => run(async () => install(options)));
}

function install({ json = false, windows = false, ...options }: InstallOptions): ExitCode {
  const script = hookScript({ ...options, windows });
  if (json) printJson(script);
  else process.stdout.write(script.text);
  return EXIT.ok;
}
