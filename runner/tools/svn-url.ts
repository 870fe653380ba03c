/** What may be named as an SVN repository or a branch in one: checked before svn sees it, since svn would run some of it. */
import { invalid } from '../../pipelines/errors.ts';

const SCHEMES = ['https', 'http', 'svn', 'svn+ssh'];
const MAX_LENGTH = 2_000;
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

/** Throws `invalid` (field `source.url`) unless `url` is one that svn may be given. */
export function checkSvnUrl(url: string, options: { allowFile: boolean }): void {
  const fault = faultOfSvnUrl(url, options);
  if (fault !== null) {
    const expected = 'expected https://host/path, svn://host/path or svn+ssh://user@host/path';
    throw invalid(`the repository URL ${fault}; ${expected}`, 'source.url');
  }
}

/** Why svn must not be given this URL, or null. */
export function faultOfSvnUrl(url: string, { allowFile }: { allowFile: boolean }): string | null {
  if (url === '' || url.length > MAX_LENGTH) return 'is empty or too long';
  if (UNPRINTABLE.test(url) || /\s/.test(url)) return 'must not contain spaces or control characters';
  if (/[\\?#]/.test(url)) return 'must not contain "\\", "?" or "#"';
  const scheme = /^([^:/@]+):\/\//.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return 'is not a URL';
  if (scheme === 'file') {
    if (!allowFile) return 'is a file:// URL, which is not allowed here';
    if (!/^file:\/\/\/[^/]/i.test(url)) return 'must name an absolute path: file:///…';
  } else if (!SCHEMES.includes(scheme)) return `has the scheme ${scheme}://, which is not supported`;
  return faultOfParts(url, scheme);
}

function faultOfParts(url: string, scheme: string): string | null {
  let parts: string[];
  let password: string;
  try {
    const parsed = new URL(url);
    password = parsed.password;
    // As it stands: `new URL` mends dots and slashes, svn does not. And decoded: so it reaches ssh and the server.
    const path = url.replace(/^[^:]+:\/\/[^/]*/, '');
    parts = [parsed.hostname, parsed.username, path].map(decodeURIComponent);
  } catch {
    return 'is not a valid URL';
  }
  const [host = '', user = '', path = ''] = parts;
  if (host === '' && scheme !== 'file') return 'names no host';
  if (parts.some((part) => UNPRINTABLE.test(part))) return 'must not contain control characters';
  if (host.startsWith('-') || user.startsWith('-')) return 'must not contain a host or user that begins with "-"';
  if (password !== '' || (user !== '' && scheme !== 'svn+ssh'))
    return 'must not contain a user or password: use "credentials" instead';
  if (path.split('/').some((part) => part === '.' || part === '..')) return 'must not contain "." or ".." as a folder';
  return null;
}

/** The path of a branch below the source's URL; empty for `.`, the URL itself. Throws `invalid` (field `branch`). */
export function branchPath(branch: string): string {
  const path = tidyBranch(branch);
  if (path === '.') return '';
  const folders = path.split('/');
  if (path.length > 250 || UNPRINTABLE.test(path) || folders.some((part) => ['', '.', '..'].includes(part))) {
    const shown = branch.slice(0, 100).replace(/[\p{Cc}\p{Cs}]/gu, '?');
    throw invalid(`"${shown}" is not a valid branch; expected a path below the URL, such as trunk`, 'branch');
  }
  return path;
}

/** A branch or a pattern of branches without `./` in front and slashes at the end. */
export const tidyBranch = (branch: string): string => branch.replace(/^(?:\.\/+)+(?=.)|(?<=.)\/+$/g, '');

/** The URL of a path below another, every special character encoded. */
export function below(url: string, path: string): string {
  const base = url.replace(/\/+$/, '');
  return path === '' ? base : `${base}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The path of `url` below `base`, decoded; null where it is not below. */
export function pathBelow(url: string, base: string): string | null {
  const [inner, outer] = [decoded(url), decoded(base)];
  if (inner === outer) return '';
  return inner.startsWith(`${outer}/`) ? inner.slice(outer.length + 1) : null;
}

function decoded(url: string): string {
  const bare = url.replace(/\/+$/, '');
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}

/** Scheme, host and port: whom credentials are for. */
export function originOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`.toLowerCase();
}

export const hostOf = (url: string): string => new URL(url).hostname.toLowerCase();
export const schemeOf = (url: string): string => new URL(url).protocol.slice(0, -1).toLowerCase();
