/** The `svn:externals` property: what it says, and what may be taken from where. */
import { invalid } from '../../pipelines/errors.ts';
import type { SourceSpec } from '../../pipelines/model.ts';
import { redact } from './git-errors.ts';
import { faultOfSvnUrl, hostOf, schemeOf } from './svn-url.ts';

/** One external as it is defined. */
export interface Definition {
  /** Below the folder that has the property. */
  path: string;
  /** Absolute; encoded as far as needed. */
  url: string;
  /** Where `url` is to be looked for; null means HEAD. */
  peg: string | null;
  /** Which revision of what is found there; null means the peg revision. */
  revision: string | null;
}

/** What relative URLs are relative to. */
export interface Base {
  /** Of the folder that has the property. */
  folder: string;
  /** Of the repository. */
  root: string;
}

/**
 * Both syntaxes: `[-rN] URL[@PEG] PATH`, and the one before Subversion 1.5, `PATH [-rN] URL`; see "svn help propset" and
 * svn_wc_parse_externals_description3. Throws `invalid` naming the line.
 */
export function parseExternals(text: string, base: Base): Definition[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => parseLine(line, base));
}

function parseLine(line: string, base: Base): Definition {
  const tokens = tokensOf(line);
  const option = tokens.findIndex((token) => token.startsWith('-r'));
  let revision: string | null = null;
  if (option === 0 || option === 1) {
    const [flag = ''] = tokens.splice(option, 1);
    revision = revisionOf(flag === '-r' ? (tokens.splice(option, 1)[0] ?? '') : flag.slice(2), line);
  }
  const [first, second, ...more] = tokens;
  if (first === undefined || second === undefined || more.length > 0)
    throw refused(line, 'expected "[-r REVISION] URL[@PEG] PATH"');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(second)) {
    return { path: targetOf(first, line), url: absolute(second, base, line), peg: revision, revision };
  }
  const [, bare = first, peg] = /^(.*)@([^@/]*)$/s.exec(first) ?? [];
  return {
    path: targetOf(second, line),
    url: absolute(bare, base, line),
    peg: peg === undefined || peg === '' ? null : revisionOf(peg, line),
    revision,
  };
}

/** Split at spaces, as a shell would: quotes and backslashes count; see apr_tokenize_to_argv. */
function tokensOf(line: string): string[] {
  const tokens: string[] = [];
  for (const [token] of line.matchAll(/(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+/g)) {
    tokens.push(token.replace(/\\(.)|["']/g, (_whole, escaped) => escaped ?? ''));
  }
  return tokens;
}

/** Null for HEAD. */
function revisionOf(text: string, line: string): string | null {
  if (/^head$/i.test(text)) return null;
  if (!/^r?\d{1,10}$/i.test(text)) throw refused(line, 'the revision must be a number or HEAD');
  return text.replace(/^r/i, '');
}

function targetOf(text: string, line: string): string {
  const path = text.replace(/^(?:\.\/+)+|\/+$/g, '').replace(/\/{2,}/g, '/');
  const parts = path.split('/');
  if (parts.some((part) => ['', '.', '..'].includes(part) || part.toLowerCase() === '.svn') || /\p{Cc}/u.test(path))
    throw refused(line, 'the path must lie below its folder');
  return path;
}

/** See "Relative URLs" in the same help: `^/`, `//`, `/` and `../`. */
function absolute(text: string, { folder, root }: Base, line: string): string {
  const url = text.replace(/[^\x21-\x7e]|["<>^`{|}#?]/gu, (char) => (char === '^' ? char : encodeURIComponent(char)));
  const [, scheme = '', authority = ''] = /^([^:]+:)(\/\/[^/]*)/.exec(root) ?? [];
  if (url.startsWith('^/')) return climbed(`${root}/${url.slice(2)}`, line);
  if (url.startsWith('//')) return climbed(`${scheme}${url}`, line);
  if (url.startsWith('/')) return climbed(`${scheme}${authority}${url}`, line);
  if (url.startsWith('../')) return climbed(`${folder}/${url}`, line);
  return url;
}

/** With `..` carried out, which may leave the repository but not the server. */
function climbed(url: string, line: string): string {
  const [, head = '', path = ''] = /^([^:]+:\/\/[^/]*)(.*)$/.exec(url) ?? [];
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..' && parts.pop() === undefined) throw refused(line, 'it climbs out of the server');
    if (part !== '..' && part !== '.' && part !== '') parts.push(part);
  }
  return `${head}/${parts.join('/')}`;
}

/** Throws `invalid` unless a checkout of `source` may take something from `url`. */
export function checkExternal(path: string, url: string, source: SourceSpec, options: { allowFile: boolean }): void {
  const shown = `the external ${path} (${redact(url, [])})`;
  const isFile = schemeOf(source.url) === 'file';
  const fault = faultOfSvnUrl(url, { allowFile: options.allowFile && isFile });
  if (fault !== null) throw invalid(`${shown}: its URL ${fault}`);
  const host = hostOf(url);
  if (host === hostOf(source.url)) return;
  const { host: withPort } = new URL(url);
  if (source.hosts?.some((each) => [host, withPort.toLowerCase()].includes(each.toLowerCase()))) return;
  throw invalid(`${shown} comes from another host: it is fetched once source.hosts names ${host}`, 'source.hosts');
}

const refused = (line: string, why: string) =>
  invalid(`the external "${redact(line.slice(0, 200), [])}" cannot be used: ${why}`);
