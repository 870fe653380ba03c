/** From svn's error codes (its exit code is always 1) to an error a user can act on, without what must stay secret. */
import { type Fault, RemoteError } from '../../pipelines/errors.ts';
import { refusalFor } from './git-errors.ts';
import { SSH_FAULTS } from './ssh.ts';
import { hostOf } from './svn-url.ts';

/** An svn command that did not exit with 0. `stderr` is redacted already. */
export class SvnFailure extends Error {
  readonly exitCode: number | null;
  readonly stderr: string;

  constructor(exitCode: number | null, stderr: string) {
    super(`svn exited with ${exitCode ?? 'a signal'}: ${stderr.trim().slice(-500)}`);
    this.name = 'SvnFailure';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** svn took longer than it may, or nothing moved for too long, and was killed. */
export class SvnTimeout extends Error {}

/** First match wins: "E170013: Unable to connect" comes with the reason after it, E200009 with one before it. */
const FAULTS: [RegExp, Fault, string][] = [
  ...SSH_FAULTS,
  [/E170001.*authorization failed|E175013/i, 'auth', 'these credentials may not read it'],
  [/E170001|E215004/, 'auth', 'the server does not accept the credentials'],
  [/E170011|E175011/, 'protocol', 'the server redirects to another address; use that URL'],
  [/E160006/, 'not-found', 'the server does not have this revision'],
  [/[EW]160013|[EW]170000|E160005|E150000/, 'not-found', 'the server does not have this path at this revision'],
  [
    /E180001|E210005|E175003|E165001|could not find the requested svn filesystem/i,
    'not-found',
    'there is no such repository, or these credentials may not see it',
  ],
  [/E175012|E000110|timed out/i, 'timeout', 'the server did not answer in time'],
  [
    /E230001|E1201(71|72)|certificate|ssl/i,
    'protocol',
    "the server's certificate is not trusted; an intranet's own CA is set with SLIPWAY_CA_FILE",
  ],
  [/E67000\d|E731001|unknown host|could not resolve/i, 'unreachable', 'its host name cannot be resolved'],
  [
    /E000111|E000113|E000101|connection refused|no route to host|network is unreachable/i,
    'unreachable',
    'no connection to the server',
  ],
  [/E000104|E210002|E120106|E120108|E000032|connection reset/i, 'unreachable', 'the connection to the server broke'],
  [/E175002|E170002|E210\d{3}/, 'refused', 'the server refuses'],
];

/** What tells that a target is not there, and what svn adds to it. */
const MISSING = /^[EW](160013|170000|160005|160006|150000|200017|200009|200000|195012|195007)$/;

/** Whether svn found no fault but that something asked for does not exist (in that revision). */
export function isMissing(error: unknown): boolean {
  const failure = error instanceof RemoteError ? error.cause : error;
  if (!(failure instanceof SvnFailure)) return false;
  const codes = [...failure.stderr.matchAll(/\b([EW]\d{6}):/g)].map(([, code]) => code ?? '');
  return codes.length > 0 && codes.every((code) => MISSING.test(code));
}

/** Whether the fault lies here, in a working copy, and not with the server. */
export const isLocal = (failure: SvnFailure): boolean => faultOf(failure) === undefined;

const faultOf = ({ stderr }: SvnFailure) => FAULTS.find(([pattern]) => pattern.test(stderr));

/** The error of a command that talked to `url`, with credentials or without. */
export function remoteError(failure: SvnFailure | SvnTimeout, url: string, signedIn: boolean): RemoteError {
  if (failure instanceof SvnTimeout)
    return new RemoteError('repository', 'timeout', `the repository ${url} did not answer in time`, failure);
  const [, fault, sentence] = redirected(failure.stderr, url) ??
    faultOf(failure) ?? [null, 'protocol' as Fault, 'svn could not talk to it'];
  const detail = fault === 'protocol' || fault === 'refused' ? lastLine(failure.stderr) : '';
  return new RemoteError(
    'repository',
    fault,
    `the repository ${url}: ${refusalFor(signedIn, sentence)}${detail}`,
    failure,
  );
}

/** svn follows a redirection; that no other host is reached by it is seen to in its configuration. */
function redirected(stderr: string, url: string): [null, Fault, string] | undefined {
  const reached = /E170013: Unable to connect to a repository at URL '([^']+)'/.exec(stderr)?.[1];
  if (reached === undefined || !URL.canParse(reached) || hostOf(reached) === hostOf(url)) return undefined;
  return [null, 'protocol', 'the server redirects to another address; use that URL'];
}

function lastLine(stderr: string): string {
  const line = stderr.split('\n').findLast((text) => text.startsWith('svn: '));
  return line === undefined ? '' : ` (svn says: ${line.slice('svn: '.length, 200)})`;
}
