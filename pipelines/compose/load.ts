/** Compose files with everything they take in from other files of the workspace: `include` and `extends`. */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';
import { type ComposeDocument, type ComposeMap, isMap, parseCompose, type Service, Tagged } from './document.ts';
import { mergeCompose, mergeService, normalise } from './merge.ts';
import { insideWorkspace } from './references.ts';
import { isHostPath, isPath, splitColons } from './volumes.ts';

/** Text of a file of the workspace, by its path there. Throws `invalid` where there is none. */
export type ReadCompose = (path: string) => Promise<string>;

/** Far more than any stack is split into. */
const MAX_FILES = 100;

/**
 * Reads `files` (paths in the workspace; later ones override) into one document without `include` and `extends`.
 * Relative paths in it start from `directory`, which is the folder of the first file where left out. Tags of a single
 * file stay, since it may be an override that is merged later.
 */
export async function loadCompose(
  files: readonly string[],
  read: ReadCompose,
  directory?: string,
): Promise<ComposeDocument> {
  const base = directory ?? directoryOf(files[0] ?? '');
  const loader = new Loader(read);
  let merged: ComposeDocument | undefined;
  for (const file of files) {
    const doc = await loader.load(file, base, []);
    merged = merged ? mergeCompose(merged, doc) : doc;
  }
  if (!merged) throw invalid('no compose file is named', 'release.compose');
  return merged;
}

/** '' is the workspace itself. */
export function directoryOf(file: string): string {
  const directory = posix.dirname(posix.normalize(file));
  return directory === '.' ? '' : directory;
}

class Loader {
  private readonly read: ReadCompose;
  private readonly parsed = new Map<string, ComposeDocument>();
  private loads = 0;

  constructor(read: ReadCompose) {
    this.read = read;
  }

  /** One file, with what it includes and extends. Its relative paths start from `directory`. */
  async load(file: string, directory: string, including: string[]): Promise<ComposeDocument> {
    if (including.includes(file)) throw invalid(`${[...including, file].join(' → ')}: include goes in a circle`, file);
    if (++this.loads > MAX_FILES) throw invalid(`${file}: more than ${MAX_FILES} files are included`, file);
    const doc = await this.parse(file);
    const services: Record<string, Service> = {};
    for (const name of Object.keys(doc.services)) services[name] = await this.service(file, name, directory, []);
    const own: ComposeDocument = { ...doc, services, include: [] };
    for (const entry of doc.include) {
      const included = await this.include(entry, file, directory, [...including, file]);
      refuseConflicts(own, included, file);
      for (const section of ['services', 'networks', 'volumes', 'secrets', 'configs'] as const) {
        own[section] = { ...included[section], ...own[section] };
      }
    }
    return own;
  }

  private async parse(file: string): Promise<ComposeDocument> {
    let doc = this.parsed.get(file);
    if (!doc) {
      doc = parseCompose(await this.read(file), file);
      this.parsed.set(file, doc);
    }
    return doc;
  }

  private async include(
    entry: unknown,
    file: string,
    directory: string,
    including: string[],
  ): Promise<ComposeDocument> {
    const long = isMap(entry) ? entry : { path: entry };
    if (long.env_file !== undefined) {
      throw invalid(`${file}: include.env_file is not supported: set the variables on the environment`, file);
    }
    const paths = [long.path].flat().map((path) => localFile(path, directory, `${file}: include`));
    const own = long.project_directory ?? directoryOf(paths[0] ?? '');
    const from = long.project_directory === undefined ? String(own) : localFile(own, directory, `${file}: include`);
    let merged: ComposeDocument | undefined;
    for (const path of paths) {
      const doc = await this.load(path, from, including);
      merged = merged ? mergeCompose(merged, doc) : doc;
    }
    if (!merged) throw invalid(`${file}: include names no file`, file);
    return rebase(merged, from, directory);
  }

  /** A service merged on what it extends. */
  private async service(file: string, name: string, directory: string, chain: string[]): Promise<Service> {
    const link = `${file} ${name}`;
    const where = `${file}: services.${name}.extends`;
    if (chain.includes(link)) throw invalid(`${where} goes in a circle: ${[...chain, link].join(' → ')}`, file);
    const { services } = await this.parse(file);
    const service = Object.hasOwn(services, name) ? services[name] : undefined;
    if (!service)
      throw invalid(`${chain.at(-1) ?? file}: extends the service ${name}, which ${file} does not have`, file);
    if ((service as unknown) instanceof Tagged || service.extends === undefined) return service;
    const { extends: parent, ...own } = service;
    const { file: other, service: parentName } = isMap(parent) ? parent : { file: undefined, service: parent };
    if (typeof parentName !== 'string') throw invalid(`${where} must name a service`, file);
    if (other === undefined)
      return mergeService(await this.service(file, parentName, directory, [...chain, link]), own);
    const path = localFile(other, directory, where);
    const from = directoryOf(path);
    const extended = await this.service(path, parentName, from, [...chain, link]);
    return mergeService(rebaseService(extended, from, directory), own);
  }
}

function localFile(path: unknown, directory: string, where: string): string {
  if (typeof path !== 'string' || path === '') throw invalid(`${where} must be the path of a file`);
  if (/^[a-z][a-z0-9+.-]*:|@.*:/i.test(path))
    throw invalid(`${where}: ${path} is remote: only files of the workspace are taken in`);
  if (path.includes('$')) throw invalid(`${where}: ${path}: variables cannot be used here`);
  return insideWorkspace(directory, path, where);
}

function refuseConflicts(own: ComposeDocument, included: ComposeDocument, file: string): void {
  for (const section of ['services', 'networks', 'volumes', 'secrets', 'configs'] as const) {
    for (const [name, entry] of Object.entries(included[section])) {
      const mine = own[section][name];
      if (mine !== undefined && JSON.stringify(mine) !== JSON.stringify(entry)) {
        throw invalid(`${file}: ${section}.${name} conflicts with the one that is included`, file);
      }
    }
  }
}

/** Makes relative paths that start at `from` start at `to`. */
function rebase(doc: ComposeDocument, from: string, to: string): ComposeDocument {
  if (from === to) return doc;
  const move = (path: unknown) => moved(path, from, to);
  const files = (entries: Record<string, ComposeMap>) =>
    mapValues(entries, (entry) => (entry.file === undefined ? entry : { ...entry, file: move(entry.file) }));
  return {
    ...doc,
    services: mapValues(doc.services, (service) => rebaseService(service, from, to)),
    secrets: files(doc.secrets),
    configs: files(doc.configs),
  };
}

function rebaseService(written: Service, from: string, to: string): Service {
  if (from === to || (written as unknown) instanceof Tagged) return written;
  const service = normalise(written);
  const move = (path: unknown) => moved(path, from, to);
  if (Array.isArray(service.volumes)) service.volumes = service.volumes.map((entry) => moveMount(entry, move));
  if (Array.isArray(service.env_file)) {
    service.env_file = service.env_file.map((entry) =>
      isMap(entry) ? { ...entry, path: move(entry.path) } : move(entry),
    );
  }
  if (isMap(service.build)) {
    service.build = { ...service.build, context: movedContext(service.build.context ?? '.', from, to) };
  }
  return service;
}

function moveMount(entry: unknown, move: (path: unknown) => unknown): unknown {
  if (isMap(entry)) return entry.type === 'bind' ? { ...entry, source: move(entry.source) } : entry;
  const [source = '', ...rest] = splitColons(String(entry));
  return rest.length > 0 && isPath(source) ? [move(source), ...rest].join(':') : entry;
}

function moved(path: unknown, from: string, to: string): unknown {
  // Absolute paths stay; what begins with a variable cannot be told to be relative.
  if (typeof path !== 'string' || isHostPath(path) || path.startsWith('$')) return path;
  return movedPath(path, from, to);
}

/** Only folders of the workspace can be built: what begins with a variable must be relative. */
function movedContext(context: unknown, from: string, to: string): unknown {
  const stays = typeof context !== 'string' || isHostPath(context) || isRemoteContext(context);
  return stays ? context : movedPath(context, from, to);
}

/** A build's context that is a URL or a repository. */
export const isRemoteContext = (context: string): boolean => /^(\w+:\/\/|git@|github\.com\/)/.test(context);

function movedPath(path: string, from: string, to: string): string {
  const prefix = posix.relative(`/${to}`, `/${from}`);
  return prefix === '' ? path : `${prefix.startsWith('.') ? '' : './'}${prefix}/${path.replace(/^\.\//, '')}`;
}

export function mapValues<A, B>(map: Record<string, A>, change: (value: A, key: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value, key)]));
}
