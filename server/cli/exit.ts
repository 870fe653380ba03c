/** How the command line ends; scripts rely on these. */
export const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3, unreachable: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a message for people and, under `--json`, a problem document. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(exitCode: ExitCode, message: string, problem: Record<string, unknown> = {}) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.problem = problem;
  }
}

export const usage = (message: string): CliError => new CliError(EXIT.usage, message);
