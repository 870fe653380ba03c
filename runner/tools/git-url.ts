/** What may be named as a repository or a branch: checked before git sees it, since git would run some of it. */
import { invalid } from '../../pipelines/errors.ts';

const SCHEMES = ['https', 'http', 'ssh', 'git'];
const MAX_LENGTH = 2_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\x00-\x20\x7f]/;

export type Transport = 'https' | 'http' | 'ssh' | 'git' | 'file';

/** Throws `invalid` (field `source.url`) unless `url` is one that git may be given. */
export function checkSourceUrl(url: string, options: { allowFile: boolean }): void {
  if (url === '' || url.length > MAX_LENGTH) throw refused('is empty or too long');
  if (CONTROL.test(url)) throw refused('must not contain spaces or control characters');
  if (url.includes('\\')) throw refused('must not contain a backslash');
  if (url.startsWith('-')) throw refused('must not begin with "-"');
  if (/^[^/]*::/.test(url) && !/^[^@]*@\[/.test(url)) throw refused('must not name a transport helper ("…::")');

  const scheme = /^([^:/@]+):\/\//.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (options.allowFile && url.startsWith('/')) throw refused(`is a plain path: write file://${url}`);
    checkScpLike(url);
  } else if (scheme === 'file') {
    if (!options.allowFile) throw refused('is a file:// URL, which this installation does not allow');
    if (!/^file:\/\/\/./i.test(url)) throw refused('must name an absolute path: file:///…');
  } else if (SCHEMES.includes(scheme)) {
    checkParts(url, scheme);
  } else {
    throw refused(`has the scheme ${scheme}://, which is not supported`);
  }
}

function checkParts(url: string, scheme: string): void {
  let host: string;
  let user: string;
  let path: string;
  let password: string;
  try {
    const parsed = new URL(url);
    password = parsed.password;
    // git decodes percent signs before it calls ssh, so what it will see is checked.
    [host, user, path] = [parsed.hostname, parsed.username, parsed.pathname].map(decodeURIComponent) as [
      string,
      string,
      string,
    ];
  } catch {
    throw refused('is not a valid URL');
  }
  // `new URL` mends https:///x to https://x/, git does not.
  if (host === '' || /^[a-z]+:\/\/\//i.test(url)) throw refused('names no host');
  if ([host, user, path].some((part) => CONTROL.test(part.replaceAll(' ', ''))))
    throw refused('must not contain control characters');
  if ([host, user, path].some((part) => part.startsWith('-'))) {
    throw refused('must not contain a host, user or path that begins with "-"');
  }
  if (password !== '' || (user !== '' && scheme !== 'ssh')) {
    throw refused('must not contain a user or password: use "credentials" instead');
  }
}

function checkScpLike(url: string): void {
  const match = /^([^@:/]+)@(\[[0-9a-fA-F:.]+\]|[^@:/[\]]+):(.+)$/.exec(url);
  if (!match) throw refused('is neither a URL nor of the form git@host:path');
  if (match.slice(1).some((part) => part.startsWith('-'))) {
    throw refused('must not contain a host, user or path that begins with "-"');
  }
}

const refused = (why: string) =>
  invalid(`the repository URL ${why}; expected https://host/path, ssh://user@host/path or git@host:path`, 'source.url');

/** How git will reach a URL that `checkSourceUrl` has passed. */
export function transportOf(url: string): Transport {
  const scheme = /^([a-z]+):\/\//i.exec(url)?.[1]?.toLowerCase();
  return (scheme ?? 'ssh') as Transport;
}

/** Where a URL leads, letter for letter but for case: two that are equal here are one server to whatever reads them. */
export interface Server {
  transport: Transport;
  /** Empty for `file://`. */
  host: string;
  port: string;
}

const PORTS: Record<Transport, string> = { https: '443', http: '80', ssh: '22', git: '9418', file: '' };

/** The server of a URL that `checkSourceUrl` has passed; null where programs might read different hosts out of it. */
export function serverOf(url: string): Server | null {
  const transport = transportOf(url);
  if (transport === 'file') return { transport, host: '', port: '' };
  const [, host, port] =
    /^[a-z]+:\/\/(?:[^/@?#]*@)?([\p{L}\p{N}._-]+|\[[0-9a-f:.]+\])(?::(\d*))?(?:\/|$)/iu.exec(url) ??
    /^[^@:/]+@([\p{L}\p{N}._-]+|\[[0-9a-f:.]+\])():/iu.exec(url) ??
    [];
  return host === undefined ? null : { transport, host: host.toLowerCase(), port: port || PORTS[transport] };
}

/** As git resolves `./x` and `../x` in a `.gitmodules` against its repository's own URL. Null where that climbs too far. */
export function resolveUrl(base: string, url: string): string | null {
  if (!/^\.\.?(\/|$)/.test(url)) return url;
  const [, head = '', path = ''] = /^([a-z]+:\/\/[^/]*\/|[^@:/]+@(?:\[[^\]]*\]|[^:/]*):\/?)(.*)$/i.exec(base) ?? [];
  const parts = path.split('/').filter(Boolean);
  for (const part of url.split('/')) {
    if (part === '..' && parts.pop() === undefined) return null;
    if (!['', '.', '..'].includes(part)) parts.push(part);
  }
  return `${head}${parts.join('/')}`;
}

/** Throws `invalid` (field `branch`) unless git itself would accept the name; see git-check-ref-format(1). */
export function checkBranch(name: string): void {
  const wrong =
    name === '' ||
    name.length > 250 ||
    name === '@' ||
    name === 'HEAD' ||
    /^[-/]|[/.]$|\/\/|\.\.|@\{|[~^:?*[\\]/.test(name) ||
    CONTROL.test(name) ||
    name.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock'));
  if (wrong)
    throw invalid(
      `"${printable(name)}" is not a valid branch name; expected what git check-ref-format accepts`,
      'branch',
    );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
const printable = (text: string) => text.slice(0, 100).replace(/[\x00-\x1f\x7f]/g, '?');
