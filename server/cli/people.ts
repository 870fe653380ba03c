/** `slipway user add` and `slipway token create`. */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { RunCommand } from './builds.ts';
import { type Api, at, connect } from './client.ts';
import { CliError, EXIT, type ExitCode, usage } from './exit.ts';
import { printJson } from './output.ts';

interface UserOptions {
  admin?: boolean;
  email?: string;
  passwordStdin?: boolean;
  json?: boolean;
}
interface TokenOptions {
  scope?: string[];
  expires?: string;
  user?: string;
  json?: boolean;
}

export function addPeopleCommands(program: Command, run: RunCommand): void {
  program
    .command('user')
    .description('people who may log in')
    .command('add')
    .description('add a user; prints a password once, unless you give one')
    .argument('<name>')
    .option('--admin', 'may do everything')
    .option('--email <address>', 'where mail goes')
    .option('--password-stdin', 'read the password from standard input')
    .option('--json', 'print the user as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway user add rita --email rita@example.com\n  slipway user add root --admin --password-stdin <password.txt',
    )
    .action((name: string, options: UserOptions) => run(() => addUser(connect(), name, options)));

  program
    .command('token')
    .description('tokens for scripts')
    .command('create')
    .description('make a token for yourself; it is shown once')
    .argument('[name]', 'what it is for', 'cli')
    .option('--scope <scope>', 'read or write; repeat it for both (default: both)', collect)
    .option('--expires <time>', 'e.g. 2031-05-04T18:00:00Z')
    .option('-u, --user <name>', 'log in with the password on standard input, instead of SLIPWAY_TOKEN')
    .option('--json', 'print the token as JSON')
    .addHelpText(
      'after',
      `
Examples:
  export SLIPWAY_TOKEN=$(slipway token create -u admin <password.txt)
  slipway token create nightly --expires 2031-01-01T00:00:00Z`,
    )
    .action((name: string, options: TokenOptions) => run(() => createToken(connect(), name, options)));
}

const collect = (item: string, before: string[] = []): string[] => [...before, item];

async function addUser(api: Api, name: string, options: UserOptions): Promise<ExitCode> {
  const path = at`/users/${name}`;
  if (await exists(api, path)) throw new CliError(EXIT.refused, `there is a user ${name} already`);
  const password = options.passwordStdin ? await passwordFromStdin() : randomBytes(15).toString('base64url');
  const user = await api.put<object>(path, { password, admin: options.admin, email: options.email });
  const shown = options.passwordStdin ? {} : { password };
  if (options.json) printJson({ ...user, ...shown });
  else console.log(`Added ${name}.${options.passwordStdin ? '' : ` Password, shown only now: ${password}`}`);
  return EXIT.ok;
}

async function exists(api: Api, path: string): Promise<boolean> {
  try {
    await api.get(path);
    return true;
  } catch (thrown) {
    if (thrown instanceof CliError && thrown.problem.status === 404) return false;
    throw thrown;
  }
}

async function createToken(api: Api, name: string, options: TokenOptions): Promise<ExitCode> {
  const session = options.user === undefined ? api : await login(api, options.user, await passwordFromStdin());
  const made = await session.post<{ token: string }>('/me/tokens', {
    name,
    scopes: options.scope,
    expires: options.expires,
  });
  if (options.json) printJson(made);
  else console.log(made.token);
  return EXIT.ok;
}

/** A session serves for the one call; the token outlives it. */
async function login(api: Api, username: string, password: string): Promise<Api> {
  const cookie = await api.login(username, password);
  return api.as({ cookie, origin: new URL(api.url).origin });
}

async function passwordFromStdin(): Promise<string> {
  const password = process.stdin.isTTY
    ? await askUnseen('Password: ')
    : (await text(process.stdin)).replace(/\r?\n$/, '');
  if (password === '') throw usage('expected a password on standard input');
  return password;
}

/** Asks on standard error, since standard output may go to a variable, and shows nothing of the answer. */
async function askUnseen(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(question);
  try {
    return await new Promise<string>((resolve) => terminal.once('line', resolve).once('close', () => resolve('')));
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
