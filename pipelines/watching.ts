/** What a pipeline file says of when to build, apart from the build itself. */
import { branchLabel, matchesBranch } from './branches.ts';
import type { Change } from './model.ts';
import { matchesAny, matchesMessage } from './patterns.ts';
import type { PipelineFile } from './schema.ts';

/** Where neither the pipeline nor its file says when to poll. */
export const DEFAULT_POLL = '* * * * *';

export interface Schedule {
  cron: string;
  /** The server's, where null. */
  timezone: string | null;
}

/** A further source, as the file describes it. */
export interface FurtherSource {
  name: string;
  kind: 'git' | 'svn';
  url: string;
  branch: string;
  path: string;
  secret: string | null;
}

/** What the file at the head of the first branch says: it counts for the whole pipeline. */
export interface WatchSettings {
  poll: string | null;
  /** Whether hooks may start builds. */
  push: boolean;
  schedule: Schedule | null;
  /** Images whose push to a registry is a reason to build, though nothing has moved. */
  images: string[];
  sources: FurtherSource[];
}

export const NO_SETTINGS: WatchSettings = { poll: null, push: true, schedule: null, images: [], sources: [] };

export function watchSettings(file: PipelineFile): WatchSettings {
  const { poll = null, push = true, schedule, images = [] } = file.on ?? {};
  return {
    poll,
    push,
    schedule: schedule ? { cron: schedule.cron, timezone: schedule.timezone ?? null } : null,
    images,
    sources: furtherSources(file),
  };
}

/** Whether the push of an image is meant by `on.images`: `shop/base` means every tag, `shop/base:stable` that one. */
export const meansImage = (patterns: readonly string[], { repository, tag }: PushedImage): boolean =>
  matchesAny(patterns, repository) || (tag !== null && matchesAny(patterns, `${repository}:${tag}`));

export interface PushedImage {
  /** Without the registry's host: `shop/web`. */
  repository: string;
  /** Null where it was pushed by digest alone. */
  tag: string | null;
  digest: string;
}

const DEFAULT_BRANCH = { git: 'main', svn: 'trunk' };

export const furtherSources = (file: PipelineFile): FurtherSource[] =>
  Object.entries(file.sources ?? {}).map(([name, { kind, url, branch, path, secret }]) => ({
    name,
    kind,
    url,
    branch: branch ?? DEFAULT_BRANCH[kind],
    path: path ?? name,
    secret: secret ?? null,
  }));

/** The part of `on:` that tells which changes are built. */
export type Filters = Pick<NonNullable<PipelineFile['on']>, 'branches' | 'paths' | 'authors' | 'message'>;

/**
 * Why these changes (newest first) of a branch start no build, as a sentence; null where they do. One change that passes is
 * enough for paths and authors, and where there are `more` than these, one of those may; the message is that of the newest.
 */
export function whyNotBuilt(
  on: Filters | undefined,
  branch: string,
  changes: readonly Change[],
  more = false,
): string | null {
  if (!on) return null;
  if (on.branches && !matchesBranch(on.branches, branch))
    return `on.branches: ${branchLabel(branch)} is none of ${list(on.branches)}`;
  const paths = more ? null : pathsOf(changes);
  if (on.paths && paths !== null && !paths.some((path) => matchesAny(on.paths ?? [], path)))
    return `on.paths: no change in ${list(on.paths)}`;
  const [newest] = changes;
  if (on.message !== undefined && newest && !matchesMessage(on.message, newest.message))
    return `on.message: the message does not pass ${on.message}`;
  const { authors } = on;
  if (authors && !more && changes.length > 0 && !changes.some((change) => isBy(authors, change)))
    return `on.authors: ${newest?.author ?? 'nobody known'} is none of ${list(authors)}`;
  return null;
}

/** All paths that changed; null where some are not known. */
export function pathsOf(changes: readonly Change[]): string[] | null {
  if (changes.length === 0 || changes.some(({ files, moreFiles }) => files === undefined || moreFiles)) return null;
  return [...new Set(changes.flatMap((change) => change.files ?? []))];
}

/** An author is known by name and by address: either is enough to be meant, or to be left out. */
function isBy(patterns: readonly string[], { author, email }: Change): boolean {
  const names = [author, email].filter((name) => name !== null);
  const meant = (pattern: string) => names.some((name) => matchesAny([pattern], name));
  const out = patterns.filter((pattern) => pattern.startsWith('!'));
  const included = patterns.filter((pattern) => !pattern.startsWith('!'));
  return !out.some((pattern) => meant(pattern.slice(1))) && (included.length === 0 || included.some(meant));
}

const list = (patterns: readonly string[]): string => patterns.join(', ');
