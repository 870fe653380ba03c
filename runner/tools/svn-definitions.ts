/**
 * Which externals a checkout has, and what they are now. The property can be on every folder, and svn asks for each folder by
 * itself: so what it said at an earlier revision is kept, and only those folders are asked whose properties were changed since.
 */
import { invalid } from '../../pipelines/errors.ts';
import type { External } from '../../pipelines/model.ts';
import { type Info, lookAt, parseProperties } from './svn-answers.ts';
import type { Svn } from './svn-command.ts';
import { checkExternal, type Definition, parseExternals } from './svn-externals.ts';
import { parseLog, pathInside } from './svn-log.ts';
import { below, pathBelow } from './svn-url.ts';
import { longTransfer, unlessAborted } from './transfers.ts';

const MAX_EXTERNALS = 100;
const MAX_DEPTH = 3;
const KEPT = 64;
/** Revisions and folders up to which asking for the changed ones is cheaper than asking for all. */
const MAX_STEPS = 200;
const MAX_FOLDERS = 30;

/** A folder of a repository at a revision, and where its checkout is below the workspace. */
interface Place {
  path: string;
  url: string;
  root: string;
  revision: number;
  /** The URLs of those it is an external of, its own included. */
  within: string[];
}

export class Externals {
  /** By URL: the property of each folder (relative, decoded) that has one. */
  readonly #known = new Map<string, { revision: number; texts: Map<string, string> }>();
  /** What is being asked of whole branches, by URL and revision. */
  readonly #asking = new Map<string, Promise<Map<string, string>>>();

  /** All of them, outer ones first; each resolved to an exact revision. `top` is the branch. */
  async of(svn: Svn, top: Info): Promise<External[]> {
    const found: External[] = [];
    let level: Place[] = [{ path: '', ...top, within: [top.url] }];
    for (let depth = 0; level.length > 0; depth++) {
      const next: Place[] = [];
      for (const place of level) {
        for (const definition of await this.#definitions(svn, place)) {
          const external = await resolve(svn, place, definition);
          // One that contains itself would never end.
          if (place.within.includes(external.url)) continue;
          if (depth >= MAX_DEPTH) throw invalid(`the external ${external.path} is nested more than ${MAX_DEPTH} deep`);
          if (found.some(({ path }) => path === external.path))
            throw invalid(`the external ${external.path} is defined twice`);
          const { path, url, revision } = external;
          found.push({ path, url, revision: String(revision) });
          if (found.length > MAX_EXTERNALS) throw invalid(`the branch has more than ${MAX_EXTERNALS} externals`);
          if (external.kind === 'dir') next.push({ ...external, within: [...place.within, url] });
        }
      }
      level = next;
    }
    return found;
  }

  async #definitions(svn: Svn, place: Place): Promise<Definition[]> {
    const definitions: Definition[] = [];
    for (const [folder, text] of await this.#texts(svn, place)) {
      const parsed = parseExternals(text, { folder: below(place.url, folder), root: place.root });
      definitions.push(...parsed.map((each) => ({ ...each, path: joined(folder, each.path) })));
    }
    return definitions;
  }

  async #texts(svn: Svn, place: Place): Promise<Map<string, string>> {
    const before = this.#known.get(place.url);
    if (before?.revision === place.revision) return before.texts;
    const changed = before === undefined ? null : await changedFolders(svn, place, before.revision);
    if (before === undefined || changed === null) return this.#allTexts(svn, place);
    const texts = await askSome(svn, place, before.texts, changed);
    this.#keep(place, texts);
    return texts;
  }

  /** A large repository may take longer than whoever asks waits: then the answer is there for those who ask next. */
  #allTexts(svn: Svn, place: Place): Promise<Map<string, string>> {
    const key = `${place.url}@${place.revision}`;
    const answer = this.#asking.get(key) ?? longTransfer((signal) => svn.apart(signal, (own) => askAll(own, place)));
    if (!this.#asking.has(key)) {
      this.#asking.set(key, answer);
      const forget = () => this.#asking.delete(key);
      answer.then((texts) => this.#keep(place, texts)).then(forget, forget);
    }
    return unlessAborted(answer, svn.signal, place.url);
  }

  #keep({ url, revision }: Place, texts: Map<string, string>): void {
    this.#known.delete(url);
    this.#known.set(url, { revision, texts });
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size > KEPT) this.#known.delete(oldest);
  }
}

const PROPGET = ['propget', '--xml', 'svn:externals'];

async function askAll(svn: Svn, { url, revision }: Place): Promise<Map<string, string>> {
  return texts(await svn.askLong([...PROPGET, '--recursive'], [`${url}@${revision}`]), url);
}

async function askSome(svn: Svn, { url, revision }: Place, before: Map<string, string>, folders: string[]) {
  if (folders.length === 0) return before;
  const urls = folders.map((folder) => `${below(url, folder)}@${revision}`);
  const now = texts(await svn.look(PROPGET, urls), url);
  return new Map([...[...before].filter(([folder]) => !folders.includes(folder)), ...now]);
}

function texts(xml: string, url: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [target, text] of parseProperties(xml)) {
    const folder = pathBelow(target, url);
    if (folder === null) throw new Error(`svn propget printed something unexpected: ${target}`);
    found.set(folder, text);
  }
  return found;
}

/** Folders whose properties may be others than at `from`; null where that cannot be told. */
async function changedFolders(svn: Svn, { url, root, revision }: Place, from: number): Promise<string[] | null> {
  if (from > revision) return null;
  const args = [
    'log',
    '--xml',
    '--verbose',
    '--stop-on-copy',
    `--limit=${MAX_STEPS}`,
    `--revision=${revision}:${from}`,
  ];
  const entries = parseLog(await svn.ask(args, [`${url}@${revision}`]));
  // Only if it is still the same folder that was seen then.
  if (entries.length >= MAX_STEPS || entries.at(-1)?.revision !== from) return null;
  const folder = pathBelow(url, root) ?? '';
  const changed = new Set<string>();
  for (const { path, kind, action, copied, properties } of entries.slice(0, -1).flatMap(({ paths }) => paths)) {
    const inside = pathInside(path, folder);
    if (inside === null || kind === 'file') continue;
    if (kind !== 'dir' || copied || action === 'D' || action === 'R') return null;
    if (properties) changed.add(inside);
  }
  return changed.size > MAX_FOLDERS ? null : [...changed];
}

/** Pinned to the revision it names, or else to the one that changed it last. */
async function resolve(svn: Svn, place: Place, definition: Definition): Promise<Place & { kind: string }> {
  const path = joined(place.path, definition.path);
  const { access, options } = svn;
  checkExternal(path, definition.url, access.source, options);
  const pinned = definition.revision ?? definition.peg;
  const [info] = await lookAt(svn, [`${definition.url}@${definition.peg ?? 'HEAD'}`], definition.revision ?? undefined);
  if (info === undefined)
    throw invalid(`the external ${path}: there is no ${definition.url} at ${pinned === null ? 'HEAD' : `r${pinned}`}`);
  // A redirection may have led elsewhere.
  checkExternal(path, info.url, access.source, options);
  const revision = pinned === null ? await lastChanged(svn, info) : Number(pinned);
  return { path, url: info.url, root: info.root, kind: info.kind, revision, within: place.within };
}

/** The last change of what came to its place by a copy of a folder above it was elsewhere: then the youngest revision. */
async function lastChanged(svn: Svn, { url, lastChanged, revision }: Info): Promise<number> {
  const [then] = await lookAt(svn, [`${url}@${lastChanged}`]);
  return then === undefined ? revision : lastChanged;
}

const joined = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);
