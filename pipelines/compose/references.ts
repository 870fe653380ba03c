/** The files of the workspace that a compose document refers to. */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';
import { type ComposeDocument, isMap, type Service } from './document.ts';
import { interpolate, type Lookup } from './interpolate.ts';
import { isHostPath, parseMount } from './volumes.ts';

export interface Reference {
  /** In the workspace. */
  path: string;
  /** For errors, e.g. `services.web.env_file`. */
  where: string;
  kind: 'mount' | 'env' | 'secret' | 'config';
  /** Whether a missing file is an error. A missing mount is a folder for data. */
  required: boolean;
}

/** Everything `doc` refers to, by default values of its variables. Throws `invalid` for what leaves the workspace. */
export function references(doc: ComposeDocument, directory: string, lookup: Lookup): Reference[] {
  const fill = (text: string) => interpolate(text, lookup);
  const found = Object.entries(doc.services).flatMap(([name, service]) => [
    ...mounts(service, `services.${name}.volumes`, directory, fill),
    ...envFiles(service).map(({ path, required }): Reference => {
      const where = `services.${name}.env_file`;
      return { path: localPath(directory, fill(path), where), where, kind: 'env', required };
    }),
  ]);
  for (const [section, kind] of [
    ['secrets', 'secret'],
    ['configs', 'config'],
  ] as const) {
    for (const [name, { file }] of Object.entries(doc[section])) {
      if (typeof file !== 'string') continue;
      const where = `${section}.${name}.file`;
      found.push({ path: localPath(directory, fill(file), where), where, kind, required: true });
    }
  }
  return found;
}

function mounts(service: Service, where: string, directory: string, fill: (text: string) => string): Reference[] {
  return asList(service.volumes).flatMap((entry): Reference[] => {
    const mount = parseMount(typeof entry === 'string' ? fill(entry) : entry);
    if (mount?.type !== 'bind' || mount.source === null) return [];
    const source = fill(mount.source);
    // Whether a path of the host may be mounted is the environment's policy.
    if (isHostPath(source)) return [];
    return [{ path: localPath(directory, source, where), where, kind: 'mount', required: false }];
  });
}

export interface EnvFile {
  path: string;
  required: boolean;
  /** Values are taken as they are: no quotes, no variables. */
  raw: boolean;
}

/** `env_file` in its three forms. */
export function envFiles(service: Service): EnvFile[] {
  return asList(service.env_file).map((entry) => {
    if (!isMap(entry)) return { path: String(entry), required: true, raw: false };
    const optional = entry.required === false || entry.required === 'false';
    return { path: String(entry.path), required: !optional, raw: entry.format === 'raw' };
  });
}

export const asList = (value: unknown): unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];

function localPath(directory: string, path: string, where: string): string {
  if (isHostPath(path)) throw invalid(`${where}: ${path} is outside the workspace: use a relative path`, where);
  return insideWorkspace(directory, path, where);
}

/** `path`, which starts at `directory`, as a path in the workspace ('' is the workspace). Refuses what leaves it. */
export function insideWorkspace(directory: string, path: string, where: string): string {
  const joined = isHostPath(path) ? path : posix.normalize(posix.join('/', directory, path).slice(1) || '.');
  const climbs = posix.normalize(posix.join(directory || '.', path));
  if (isHostPath(path) || climbs === '..' || climbs.startsWith('../')) {
    throw invalid(`${where}: ${path} is outside the workspace`, where);
  }
  const clean = joined.replace(/\/+$/, '');
  return clean === '.' ? '' : clean;
}
