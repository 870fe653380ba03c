/** From git's exit code and messages (LC_ALL=C) to an error a user can act on, without what must stay secret. */
import { type Fault, RemoteError } from '../../pipelines/errors.ts';
import { SSH_FAULTS } from './ssh.ts';

/** A git command that did not exit with 0. `stderr` is redacted already. */
export class GitFailure extends Error {
  readonly exitCode: number | null;
  readonly stderr: string;

  constructor(exitCode: number | null, stderr: string) {
    super(`git exited with ${exitCode ?? 'a signal'}: ${stderr.trim().slice(-500)}`);
    this.name = 'GitFailure';
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** git took longer than it may, or said nothing for too long, and was killed. */
export class GitTimeout extends Error {}

/** First match wins: what is specific stands before the "Could not read from remote repository" that follows it. */
const FAULTS: [RegExp, Fault, string][] = [
  ...SSH_FAULTS,
  [
    /authentication failed|could not read (username|password)|http basic: access denied|invalid credentials|returned error: 40[13]/i,
    'auth',
    'the server does not accept the credentials',
  ],
  [
    /not our ref|unadvertised object|couldn't find remote ref|could not find remote ref/i,
    'not-found',
    'the server does not have this revision',
  ],
  [
    /repository not found|repository '.*' not found|does not appear to be a git repository|not a git repository|repository not exported|no such repository|does not exist|did you run git update-server-info|returned error: 404/i,
    'not-found',
    'there is no such repository, or these credentials may not see it',
  ],
  [/timed? ?out|timeout was reached|operation too slow/i, 'timeout', 'the server did not answer in time'],
  [
    /ssl|certificate|gnutls/i,
    'protocol',
    "the server's certificate is not trusted; an intranet's own CA is set with SLIPWAY_CA_FILE",
  ],
  [
    /unable to update url base from redirection|redirect|returned error: 3\d\d/i,
    'protocol',
    'the server redirects to another address; use that URL',
  ],
  [/could not resolve|unable to look up|name or service not known/i, 'unreachable', 'its host name cannot be resolved'],
  [
    /connection refused|failed to connect|couldn't connect|could not connect|unable to connect|no route to host|network is unreachable/i,
    'unreachable',
    'no connection to the server',
  ],
  [
    /connection reset|connection closed|hung up|early eof|unexpected disconnect|empty reply|rpc failed|broken pipe/i,
    'unreachable',
    'the connection to the server broke',
  ],
  [/returned error: \d+|remote error|access denied/i, 'refused', 'the server refuses'],
];

/** What is said of a refusal to whoever gave no credentials (`signedIn` false). */
export const refusalFor = (signedIn: boolean, sentence: string): string =>
  !signedIn && /^(the server does not accept|these credentials)/.test(sentence)
    ? 'the server asks for credentials, and none are set'
    : sentence;

/** The error of a command that talked to `url`, with credentials or without. */
export function remoteError(failure: GitFailure | GitTimeout, url: string, signedIn: boolean): RemoteError {
  if (failure instanceof GitTimeout)
    return new RemoteError('repository', 'timeout', `the repository ${url} did not answer in time`, failure);
  const [, fault, sentence] = FAULTS.find(([pattern]) => pattern.test(failure.stderr)) ?? [
    null,
    'protocol' as Fault,
    'git could not talk to it',
  ];
  const detail = fault === 'protocol' || fault === 'refused' ? lastLine(failure.stderr) : '';
  return new RemoteError(
    'repository',
    fault,
    `the repository ${url}: ${refusalFor(signedIn, sentence)}${detail}`,
    failure,
  );
}

function lastLine(stderr: string): string {
  const line = stderr.split('\n').findLast((text) => /^(fatal|error|remote|ssh):/.test(text));
  return line === undefined ? '' : ` (git says: ${line.slice(0, 200)})`;
}

const DAMAGE =
  /not a git repository|corrupt|bad object|is empty|packfile|pack has bad|invalid sha1|unable to (read|open)|missing (blob|tree|commit)|bad (tree|signature|index)|\.lock': File exists|inflate|failed to read|unable to create/i;

/** Whether the messages tell of a damaged mirror. What the server says (`remote:`) does not count. */
export function isDamage(stderr: string): boolean {
  return stderr.split('\n').some((line) => /^(fatal|error|warning):/.test(line) && DAMAGE.test(line));
}

/** Replaces the secrets, and any user information in a URL. */
export function redact(text: string, secrets: readonly string[]): string {
  let redacted = text;
  for (const secret of secrets) {
    for (const form of new Set([secret, encodeURIComponent(secret)])) {
      if (form !== '') redacted = redacted.replaceAll(form, '***');
    }
  }
  return redacted.replace(/:\/\/[^/\s@]+@/g, '://***@');
}
