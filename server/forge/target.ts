/** What is told to a forge about a commit, and where: read off the address of the source. Pure: no I/O, no clock. */

export const FORGES = ['github', 'gitlab', 'gitea'] as const;
export type ForgeKind = (typeof FORGES)[number];

/** Ours; each forge has a vocabulary of its own. */
export type CommitState = 'pending' | 'success' | 'failure' | 'error' | 'cancelled';

export interface StatusTarget {
  /** The forge's address, without a slash at its end; it may have a path. */
  base: string;
  /** Owner and repository; groups and project of GitLab. Not encoded. */
  repository: string[];
  sha: string;
  /** As in a run: a branch, or another reference in full. */
  branch: string;
  /** The same for all builds of a pipeline, so that a later one replaces the earlier. */
  context: string;
  /** The build's page. */
  link: string;
  description: string;
  token: string;
}

export interface ForgeRequest {
  method: 'POST';
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** A request with a JSON body: what all forges have in common. */
export const jsonRequest = (url: string, headers: Record<string, string>, body: object): ForgeRequest => ({
  method: 'POST',
  url,
  headers: { accept: 'application/json', 'content-type': 'application/json', 'user-agent': 'slipway', ...headers },
  body: JSON.stringify(body),
});

interface Place {
  /** `scheme://host[:port]` of the web pages. */
  web: string;
  segments: string[];
  /** Whether the path is one of the web server's, which may keep the forge below a path of its own. */
  isWeb: boolean;
}

/** Hosts that are other names of a forge, for Git over SSH through firewalls. */
const ALIASES: Record<string, string> = {
  'ssh.github.com': 'github.com',
  'www.github.com': 'github.com',
  'altssh.gitlab.com': 'gitlab.com',
};

/** Where the forge is when only the source is known; null where the source is on none, as with `file://`. */
export const defaultBase = (source: string): string | null => placeOf(source)?.web ?? null;

/** Owner and repository; null where the address does not name them as this kind of forge would. */
export function repositoryOf(kind: ForgeKind, source: string, base: string): string[] | null {
  const place = placeOf(source);
  if (!place) return null;
  const segments = place.isWeb ? below(pathOf(new URL(base).pathname), place.segments) : place.segments;
  const named = [...segments.slice(0, -1), (segments.at(-1) ?? '').replace(/\.git$/, '')];
  // They become part of another URL: none may climb out of its place there.
  if (named.some((segment) => /^\.{0,2}$|[/\\\p{Cc}]/u.test(segment))) return null;
  return named.length === 2 || (kind === 'gitlab' && named.length > 2) ? named : null;
}

function placeOf(source: string): Place | null {
  const [, host, path] = source.includes('://') ? [] : (/^[^@:/]+@(\[[^\]]+\]|[^@:/[\]]+):(.+)$/.exec(source) ?? []);
  if (host !== undefined && path !== undefined) {
    return { web: `https://${known(host)}`, segments: path.split('/').filter(Boolean), isWeb: false };
  }
  if (!URL.canParse(source)) return null;
  const url = new URL(source);
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  if (!isWeb && url.protocol !== 'ssh:' && url.protocol !== 'git:') return null;
  // The port of SSH says nothing of the web pages.
  const web = isWeb ? `${url.protocol}//${known(url.host)}` : `https://${known(url.hostname)}`;
  return { web, segments: pathOf(url.pathname), isWeb };
}

const known = (host: string): string => ALIASES[host.toLowerCase()] ?? host.toLowerCase();

const pathOf = (pathname: string): string[] => pathname.split('/').filter(Boolean).map(decoded);

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

const below = (prefix: string[], segments: string[]): string[] =>
  prefix.every((segment, index) => segments[index] === segment) ? segments.slice(prefix.length) : segments;
