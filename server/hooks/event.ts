/** What a hook says, whoever sent it; and the rules for the values that all senders have in common. */
import { z } from 'zod';

export type HookKind = 'github' | 'gitlab' | 'gitea' | 'svn';

/** A branch or tag that points to `after` now. `before` is null where it is new. */
export interface PushedRef {
  kind: 'pushed';
  /** In full: `refs/heads/main`, `refs/tags/v1`. */
  ref: string;
  before: string | null;
  after: string;
}

export interface DeletedRef {
  kind: 'deleted';
  ref: string;
  /** Null where the sender does not tell. */
  before: string | null;
}

export interface PullRequestRef {
  kind: 'pull-request';
  number: number;
  /** `opened` (again, too) and `updated` bring a head to build; `other` (a label, a title) does not. */
  action: 'opened' | 'updated' | 'closed' | 'other';
  /** What to fetch from the *target* repository, also where the commits are a fork's: `refs/pull/7/head`. */
  ref: string;
  head: string;
  /** The branch to merge into, in full. */
  base: string;
  /** The commits come from another repository, or from one that is gone: such a build must not have secrets. */
  fork: boolean;
}

export interface SvnRevision {
  kind: 'revision';
  revision: number;
  /** Below the repository's root; empty where the sender does not tell, so empty never means "nothing was touched". */
  paths: string[];
}

export type HookRef = PushedRef | DeletedRef | PullRequestRef | SvnRevision;

export interface HookEvent {
  /** The same for each attempt to deliver one event, where the sender has such an id. Printable, 8 to 128 characters. */
  delivery: string;
  /** The sender's word for the event, e.g. `pull_request`, `tag_push`. */
  event: string;
  /** `other` is what concerns no build; it is taken, so that the sender does not count it as a failure. */
  kind: 'push' | 'delete' | 'pull-request' | 'ping' | 'other';
  refs: HookRef[];
  /** Addresses that the body gives its repository: for a note where none is the pipeline's, never to fetch from. */
  repositories: string[];
}

/** What is read of a body. */
export type Reading = Pick<HookEvent, 'event' | 'kind' | 'refs' | 'repositories'>;

// ---- values ------------------------------------------------------------------------------------------------------------

/** SHA-1 or, in repositories made so, SHA-256. */
export const CommitId = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'expected a commit id of 40 or 64 digits');
export const RefName = z.string().max(1000).refine(isRefName, 'is not a name that Git allows');
export const Branch = z
  .string()
  .max(1000)
  .refine((name) => isRefName(`refs/heads/${name}`), 'is not a branch');
export const Number32 = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

const isZero = (id: string): boolean => /^0+$/.test(id);

/** The rules of https://git-scm.com/docs/git-check-ref-format for a full name. */
export function isRefName(name: string): boolean {
  return /^refs\/[^\p{Cc}\p{Cs} ~^:?*[\\]+$/u.test(name) && !/\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[./]$/.test(name);
}

/** A ref that moved from `before` to `after`; of anything but branches and tags (notes, changes) nothing is built. */
export function moved(ref: string, before: string, after: string): Pick<Reading, 'kind' | 'refs'> {
  if (!/^refs\/(?:heads|tags)\//.test(ref)) return { kind: 'other', refs: [] };
  const was = isZero(before) ? null : before;
  if (isZero(after)) return { kind: 'delete', refs: [{ kind: 'deleted', ref, before: was }] };
  return { kind: 'push', refs: [{ kind: 'pushed', ref, before: was, after }] };
}

/** The texts among these fields that may be shown as addresses. They decide nothing, so a strange one is left out. */
export function addresses(of: unknown, ...fields: string[]): string[] {
  const values: unknown[] =
    typeof of === 'object' && of !== null
      ? Object.entries(of)
          .filter(([name]) => fields.includes(name))
          .map(([, value]) => value)
      : [];
  const texts = values.filter((value) => typeof value === 'string' && /^[^\p{C}\p{Z}]{1,500}$/u.test(value));
  return [...new Set(texts as string[])];
}
