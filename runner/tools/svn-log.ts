/** Revisions as `svn log --xml --verbose` prints them. */
import type { Change } from '../../pipelines/model.ts';
import { MAX_FILES } from './git-log.ts';
import { attribute, children, parseXml, textOf } from './svn-answers.ts';

const MAX_MESSAGE = 10_000;

export interface Entry {
  revision: number;
  author: string | null;
  /** Epoch ms; 0 where the server does not say, as for a revision in which everything is hidden. */
  at: number;
  message: string;
  /** None where they are hidden. */
  paths: Touched[];
}

export interface Touched {
  /** In the repository, from `/`. */
  path: string;
  kind: string;
  action: string;
  copied: boolean;
  /** Whether its properties are others now. */
  properties: boolean;
}

export function parseLog(xml: string): Entry[] {
  return children(children(parseXml(xml), 'log')[0], 'logentry').map((entry) => ({
    revision: Number(attribute(entry, 'revision')),
    author: textOf(children(entry, 'author')[0]) || null,
    at: Date.parse(textOf(children(entry, 'date')[0]) ?? '') || 0,
    message: textOf(children(entry, 'msg')[0]) ?? '',
    paths: children(children(entry, 'paths')[0], 'path').map((path) => ({
      path: textOf(path) ?? '',
      kind: attribute(path, 'kind') ?? '',
      action: attribute(path, 'action') ?? '',
      copied: attribute(path, 'copyfrom-path') !== null,
      properties: attribute(path, 'prop-mods') !== 'false',
    })),
  }));
}

/** A revision as a change of the branch that is `/folder` in the repository; empty for the whole of it. */
export function toChange(entry: Entry, folder: string): Change {
  const { author } = entry;
  const files = filesOf(entry, folder);
  return {
    revision: String(entry.revision),
    author,
    email: author !== null && /^[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+$/.test(author) ? author : null,
    message: entry.message.trimEnd().slice(0, MAX_MESSAGE),
    at: entry.at,
    files: files.slice(0, MAX_FILES),
    ...(files.length > MAX_FILES ? { moreFiles: true } : {}),
  };
}

/**
 * Paths below the branch; what else the revision touched, from `/`. A folder ends with a slash, so that patterns for what is in
 * it mean it, too; one that was merely added is told by its files. The branch's own folder (`.`), which every merge touches,
 * counts only where there is nothing else.
 */
function filesOf({ paths }: Entry, folder: string): string[] {
  const files: string[] = [];
  let own = false;
  for (const { path, kind, action, copied, properties } of paths) {
    if (kind === 'dir' && action === 'A' && !copied && !properties) continue;
    const inside = pathInside(path, folder);
    if (inside === '') own = true;
    else files.push(`${inside ?? path}${kind === 'dir' ? '/' : ''}`);
  }
  return files.length === 0 && own ? ['.'] : files;
}

/** The path below `/folder`, both as in the repository; null where it is elsewhere. */
export function pathInside(path: string, folder: string): string | null {
  const root = folder === '' ? '' : `/${folder}`;
  if (path === root || path === `${root}/`) return '';
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : null;
}
