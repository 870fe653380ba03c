/** Merging of compose files by the rules of the Compose specification ("Merge"): the later file wins. */
import { type ComposeDocument, type ComposeMap, isMap, type Service, Tagged } from './document.ts';
import { parseMount, splitColons } from './volumes.ts';

export function mergeCompose(base: ComposeDocument, override: ComposeDocument): ComposeDocument {
  return {
    services: mergeEntries(base.services, override.services, mergeService),
    networks: mergeEntries(base.networks, override.networks, mergeMaps),
    volumes: mergeEntries(base.volumes, override.volumes, mergeMaps),
    secrets: mergeEntries(base.secrets, override.secrets, mergeMaps),
    configs: mergeEntries(base.configs, override.configs, mergeMaps),
    include: [],
  };
}

function mergeEntries<T extends ComposeMap>(
  base: Record<string, T>,
  override: Record<string, T>,
  merge: (base: T, override: T) => ComposeMap,
): Record<string, T> {
  const merged = { ...base };
  for (const [name, entry] of Object.entries(override) as [string, T | Tagged][]) {
    if (entry instanceof Tagged) {
      if (entry.tag === 'override' && isMap(entry.value)) merged[name] = entry.value as T;
      else delete merged[name];
    } else {
      merged[name] = merge(base[name] ?? ({} as T), entry) as T;
    }
  }
  return merged;
}

export function mergeService(base: Service, override: Service): Service {
  return mergeMaps(normalise(base), normalise(override));
}

/** Merges maps key by key; what a key means decides how. */
function mergeMaps(base: ComposeMap, override: ComposeMap, path = ''): ComposeMap {
  const merged = { ...base };
  for (const [key, value] of Object.entries(override)) {
    if (value instanceof Tagged) {
      if (value.tag === 'override') merged[key] = clean(value.value);
      else delete merged[key];
    } else {
      merged[key] = mergeValues(merged[key], value, path === '' ? key : `${path}.${key}`);
    }
  }
  return merged;
}

/** Tags that stand where nothing is to be merged: `!reset` values vanish, the rest is taken as it is. */
function clean(value: unknown): unknown {
  if (value instanceof Tagged) return value.tag === 'override' ? clean(value.value) : null;
  if (Array.isArray(value)) return value.map(clean);
  return isMap(value) ? mergeMaps({}, value) : value;
}

const REPLACED = new Set([
  'command',
  'entrypoint',
  'healthcheck.test',
  'build.cache_from',
  'deploy.placement.preferences',
]);
/** What tells entries of a list apart, where that is not the whole entry. */
const LIST_KEYS: Record<string, (entry: unknown) => string> = {
  volumes: (entry) => parseMount(entry)?.target ?? JSON.stringify(entry),
  devices: targetOf,
  secrets: grantTarget,
  configs: grantTarget,
  env_file: (entry) => (isMap(entry) ? String(entry.path) : String(entry)),
};

function mergeValues(base: unknown, override: unknown, path: string): unknown {
  // "KEY:" in an environment means "take it from outside"; elsewhere an empty value says nothing.
  if (override === null && base !== undefined && !path.startsWith('environment.')) return base;
  if (REPLACED.has(path)) return clean(override);
  if (path === 'logging' && isMap(base) && isMap(override) && changesDriver(base, override)) return clean(override);
  if (isMap(override)) return mergeMaps(isMap(base) ? base : {}, override, path);
  if (Array.isArray(override)) return mergeLists(Array.isArray(base) ? base : [], override.map(clean), path);
  return override;
}

const changesDriver = (base: ComposeMap, override: ComposeMap): boolean =>
  override.driver !== undefined && base.driver !== undefined && base.driver !== override.driver;

function mergeLists(base: unknown[], override: unknown[], path: string): unknown[] {
  const keyOf = LIST_KEYS[path] ?? JSON.stringify;
  const merged = new Map<string, unknown>();
  for (const entry of [...base, ...override]) merged.set(keyOf(entry), entry);
  return [...merged.values()];
}

function targetOf(device: unknown): string {
  if (isMap(device)) return String(device.target ?? device.source);
  const [source = '', target = source] = splitColons(String(device));
  return target;
}

function grantTarget(grant: unknown): string {
  return isMap(grant) ? String(grant.target ?? grant.source) : String(grant);
}

/** Keys that may be written as a list or a map, or as a single text, in one form. */
export function normalise(service: Service): Service {
  const result = { ...service };
  for (const key of ['environment', 'labels', 'sysctls', 'annotations']) {
    if (Array.isArray(result[key])) result[key] = pairs(result[key]);
  }
  for (const key of ['dns', 'dns_search', 'tmpfs', 'env_file']) {
    if (typeof result[key] === 'string') result[key] = [result[key]];
  }
  if (Array.isArray(result.depends_on)) {
    result.depends_on = Object.fromEntries(
      result.depends_on.map((name) => [String(name), { condition: 'service_started' }]),
    );
  }
  if (Array.isArray(result.networks)) {
    result.networks = Object.fromEntries(result.networks.map((name) => [String(name), null]));
  }
  if (isMap(result.extra_hosts)) {
    result.extra_hosts = Object.entries(result.extra_hosts).flatMap(([host, addresses]) =>
      [addresses].flat().map((address) => `${host}:${String(address)}`),
    );
  }
  if (typeof result.build === 'string') result.build = { context: result.build };
  if (isMap(result.build) && Array.isArray(result.build.args)) {
    result.build = { ...result.build, args: pairs(result.build.args) };
  }
  return result;
}

/** `[A=1, B]` as `{A: '1', B: null}`. */
export function pairs(list: unknown[]): ComposeMap {
  return Object.fromEntries(
    list.map((entry) => {
      const text = String(entry);
      const at = text.indexOf('=');
      return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
