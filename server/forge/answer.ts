/** What the answer of a forge means: told, to be told again, or refused for good. In our words: what it wrote is not shown. */
import type { CommitState, ForgeKind } from './target.ts';

export interface ForgeReply {
  status: number;
  headers: Record<string, string | undefined>;
  /** As much of it as is worth reading. */
  body: string;
}

export type Outcome =
  | { kind: 'sent' }
  /** `after`: not before so many ms, where the forge said so. */
  | { kind: 'later'; error: string; after: number | null }
  | { kind: 'never'; error: string };

const NAMES: Record<ForgeKind, string> = { github: 'GitHub', gitlab: 'GitLab', gitea: 'Gitea' };
/** What a token needs to set statuses. */
const SCOPES: Record<ForgeKind, string> = {
  github: 'a fine-grained token needs "Commit statuses: write", a classic one repo:status',
  gitlab: 'it needs the scope api and at least the role Developer',
  gitea: 'it needs the scope write:repository, and its user must be allowed to write there',
};

/** RFC 9110 §15; limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api */
export function outcomeOf(kind: ForgeKind, state: CommitState, reply: ForgeReply, now: number): Outcome {
  const { status } = reply;
  if (status >= 200 && status < 300) return { kind: 'sent' };
  // GitLab refuses to set what is so already: after an answer that was lost, or beside another build of the commit.
  if (kind === 'gitlab' && state === 'pending' && status === 400 && /:enqueue from :(pending|running)/.test(reply.body))
    return { kind: 'sent' };
  const after = delayIn(reply, now);
  const limited = status === 429 || (status === 403 && after !== null);
  // GitLab answers 409 while another report makes the pipeline of the same commit.
  if (limited || status >= 500 || status === 408 || status === 409) {
    const error = limited ? `takes no more requests for now (${status})` : `answers ${status}`;
    return { kind: 'later', error: `${NAMES[kind]} ${error}; it is tried again`, after };
  }
  return { kind: 'never', error: `${NAMES[kind]} ${refusal(kind, status)}` };
}

function refusal(kind: ForgeKind, status: number): string {
  if (status >= 300 && status < 400)
    return `answers ${status}, a redirection: the repository was moved, or status.url is not the forge's address`;
  switch (status) {
    case 401:
      return 'does not accept the token (401)';
    case 403:
      return `does not let the token set commit statuses (403): ${SCOPES[kind]}`;
    case 404:
      return `knows no such repository or commit, or the token may not see it (404)${
        kind === 'gitlab' ? '; the commit of a merge request from a fork is in no branch of this project' : ''
      }`;
    case 422:
      return 'does not take the status (422): is the commit still there?';
    default:
      return `does not take the status (${status})`;
  }
}

function delayIn({ headers }: ForgeReply, now: number): number | null {
  const after = headers['retry-after'];
  if (after !== undefined) {
    const ms = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - now;
    if (Number.isFinite(ms)) return Math.max(0, ms);
  }
  const reset = Number(headers['x-ratelimit-reset']);
  return headers['x-ratelimit-remaining'] === '0' && Number.isFinite(reset) ? Math.max(0, reset * 1000 - now) : null;
}

const UNREACHABLE = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'];

/** It did not come to an answer. */
export function transportOutcome(kind: ForgeKind, thrown: unknown): Outcome {
  const code = thrown instanceof Error ? ((thrown as NodeJS.ErrnoException).code ?? thrown.name) : '';
  const why = /CERT|SELF_SIGNED|ISSUER|ERR_TLS/.test(code)
    ? `has a certificate that is not trusted (${code}): an intranet's own CA is set with SLIPWAY_CA_FILE`
    : /^(?:ABORT_ERR|AbortError|TimeoutError|ETIMEDOUT)$/.test(code)
      ? 'does not answer in time'
      : `${UNREACHABLE.includes(code) ? 'cannot be reached' : 'cannot be talked to'} (${code})`;
  return { kind: 'later', error: `${NAMES[kind]} ${why}; it is tried again`, after: null };
}
