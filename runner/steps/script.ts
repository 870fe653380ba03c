/**
 * One script for `sh -e` from a step's commands. Where there are several, each is shown as `» ` lines right before it runs,
 * to tell whose output follows. Standard error joins standard output, since two pipes would lose the order between them.
 */
export function buildScript(run: readonly string[]): string {
  const shown = run.length > 1 ? run.flatMap((command) => [echo(command), command]) : run;
  return ['exec 2>&1', ...shown, ''].join('\n');
}

/** `printf` and not `echo`, which differs from shell to shell in what it makes of a backslash. */
const echo = (command: string): string => `printf '» %s\\n' ${command.trimEnd().split('\n').map(quote).join(' ')}`;

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
