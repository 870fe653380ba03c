/** What a revision says of its submodules, and what of that is done. Nothing that a `.gitmodules` says is ever executed. */
import { appendFile, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from '../../pipelines/errors.ts';
import type { SourceSpec } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { GitFailure } from './git-errors.ts';
import type { GitMirror } from './git-mirror.ts';
import { checkSourceUrl, resolveUrl, serverOf } from './git-url.ts';
import type { ScmOptions } from './scm-options.ts';
import { MAX_FILE } from './source-file.ts';

const FIELD = 'source.submodules';

/** A commit of another repository in a folder of this one. */
export interface Submodule {
  path: string;
  /** As written; null where `.gitmodules` does not name it. */
  url: string | null;
  revision: string;
}

/** The submodules of a revision that is checked out in `folder`, which is told that they are in use. */
export async function readSubmodules(mirror: GitMirror, folder: string, revision: string): Promise<Submodule[]> {
  const entries = (await mirror.run(['ls-tree', '-r', '-z', '--full-tree', revision])).split('\0');
  const links = entries.flatMap((entry) => {
    const [, id, path] = /^160000 commit ([0-9a-f]+)\t(.*)$/s.exec(entry) ?? [];
    return id !== undefined && path !== undefined ? [{ path, revision: id }] : [];
  });
  if (links.length === 0) return [];
  const settings = entries.find((entry) => /^[^\t]*\t\.gitmodules$/.test(entry));
  const urls = settings === undefined ? new Map<string, string>() : await readSettings(mirror, settings);
  // For `git submodule`, which else takes them for ones that nobody wants.
  await appendFile(join(folder, '.git/config'), '[submodule]\n\tactive = .\n');
  return links.map((link) => ({ ...link, url: urls.get(link.path) ?? null }));
}

/** The URLs in a `.gitmodules` by path. `entry`: its line of `ls-tree`. */
async function readSettings(mirror: GitMirror, entry: string): Promise<Map<string, string>> {
  const [, mode, blob = ''] = /^(\d+) \w+ ([0-9a-f]+)/.exec(entry) ?? [];
  if (!mode?.startsWith('100')) throw unreadable('it is not a file');
  if (Number(await mirror.run(['cat-file', '-s', blob])) > MAX_FILE) throw unreadable(`over ${MAX_FILE} bytes`);
  let listing: string;
  try {
    // An include would name a file of this machine.
    listing = await mirror.run(['config', '--no-includes', '-z', '--blob', blob, '--list']);
  } catch (error) {
    // This is the fault of its author, not of the mirror.
    if (!(error instanceof GitFailure) || !/bad config/.test(error.stderr)) throw error;
    throw unreadable(/bad config line \d+/.exec(error.stderr)?.[0] ?? 'git cannot parse it');
  }
  return urlsByPath(listing);
}

/** Of `git config -z --list`; a later value of a key is the one that counts. */
function urlsByPath(listing: string): Map<string, string> {
  const byName = new Map<string, { path?: string; url?: string }>();
  for (const line of listing.split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(line) ?? [];
    if (name !== undefined && key !== undefined) byName.set(name, { ...byName.get(name), [key]: value });
  }
  const urls = new Map<string, string>();
  for (const { path, url } of byName.values()) {
    if (path === undefined || url === undefined) continue;
    if (urls.has(path) && urls.get(path) !== url) throw unreadable(`it names two URLs for ${JSON.stringify(path)}`);
    urls.set(path, url);
  }
  return urls;
}

const unreadable = (why: string) => invalid(`.gitmodules cannot be read: ${why}`, FIELD);

/**
 * How a submodule of `parent` is reached. Throws `invalid` unless it may be: it comes from the source's own host or one that
 * the source lists. The credentials go on only to the very server they are for; and not where a stranger may have written the
 * `.gitmodules`, who would else read whatever they may read. What was fetched with them is then not to be had either.
 */
export function accessToSubmodule(
  { options, source, foreign: stranger }: { options: ScmOptions; source: SourceSpec; foreign: boolean },
  parent: SourceAccess,
  submodule: Submodule,
): SourceAccess {
  const url = urlOf(options, source, parent.source.url, submodule);
  const foreign = stranger && parent.credentials !== null;
  const same = JSON.stringify(serverOf(url)) === JSON.stringify(serverOf(parent.source.url));
  return {
    source: { ...source, url, branches: ['**'] },
    credentials: same && !foreign ? parent.credentials : null,
    cache: foreign ? join(parent.cache, 'without-credentials') : parent.cache,
  };
}

/** Absolute and allowed. */
function urlOf(options: ScmOptions, source: SourceSpec, parentUrl: string, submodule: Submodule): string {
  if (submodule.url === null) throw invalid('.gitmodules does not say from where to fetch it', FIELD);
  const url = resolveUrl(parentUrl, submodule.url);
  if (url === null) throw invalid('its relative URL climbs out of the server', FIELD);
  checkSourceUrl(url, options);
  const own = serverOf(source.url);
  const server = serverOf(url);
  if (server === null) throw invalid('its URL does not name a host clearly', FIELD);
  if (server.transport === 'file' && own?.transport !== 'file')
    throw invalid('its URL is a file:// URL, and that of the source is not', FIELD);
  const names = [server.host, `${server.host}:${server.port}`];
  if (server.host === own?.host || source.hosts?.some((each) => names.includes(each.toLowerCase()))) return url;
  throw invalid(`it comes from another host: it is fetched once source.hosts names ${server.host}`, 'source.hosts');
}

/** Throws `invalid` unless each step of the path is a folder in `parent`, and no file of git's own can be meant. */
export async function checkPlace(parent: string, path: string): Promise<void> {
  // See CVE-2025-48384 for the control characters and CVE-2024-32002 for the links.
  if (/\p{Cc}/u.test(path)) throw invalid('its path must not contain control characters', FIELD);
  const parts = path.split('/');
  if (parts.some((part) => ['', '.', '..', '.git', 'git~1'].includes(part.toLowerCase())))
    throw invalid('its path must lie below its repository and outside of any .git', FIELD);
  let folder = parent;
  for (const part of parts) {
    folder = join(folder, part);
    const kind = await lstat(folder).catch(() => null);
    if (!kind?.isDirectory()) throw invalid('its path leads through something that is not a folder', FIELD);
  }
}
