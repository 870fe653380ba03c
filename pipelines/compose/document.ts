/** A compose file as plain data: read, checked for its shape, written back. Unknown keys are kept as they are. */
import { Document, isPair, isScalar, visit } from 'yaml';
import { invalid } from '../errors.ts';
import { readYaml, YamlError } from '../yaml.ts';

export type ComposeMap = Record<string, unknown>;
export type Service = ComposeMap;

export interface ComposeDocument {
  services: Record<string, Service>;
  networks: Record<string, ComposeMap>;
  volumes: Record<string, ComposeMap>;
  secrets: Record<string, ComposeMap>;
  configs: Record<string, ComposeMap>;
  /** Other files this one takes in; gone once they are loaded. */
  include: unknown[];
}

export const EMPTY: ComposeDocument = {
  services: {},
  networks: {},
  volumes: {},
  secrets: {},
  configs: {},
  include: [],
};

const SECTIONS = ['services', 'networks', 'volumes', 'secrets', 'configs'] as const;

/** A value tagged `!reset` (drops what earlier files said) or `!override` (replaces it instead of merging). */
export class Tagged {
  readonly tag: 'reset' | 'override';
  readonly value: unknown;

  constructor(tag: 'reset' | 'override', value: unknown) {
    this.tag = tag;
    this.value = value;
  }
}

export const isMap = (value: unknown): value is ComposeMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Tagged);

/** Reads a compose file; `file` is its name in errors. `version:`, `name:` and `x-…` are accepted and dropped. */
export function parseCompose(text: string, file: string): ComposeDocument {
  const fault = (message: string) => invalid(`${file}: ${message}`, file);
  const root = readTagged(text, file);
  if (!isMap(root)) throw fault('a compose file is a map with the key "services"');
  const include = root.include ?? [];
  if (!Array.isArray(include)) throw fault('include must be a list');
  const doc: ComposeDocument = { services: {}, networks: {}, volumes: {}, secrets: {}, configs: {}, include };
  for (const section of SECTIONS) {
    const entries = root[section] ?? {};
    if (entries instanceof Tagged) throw fault(`${section}: !${entries.tag} belongs on an entry, not on all of them`);
    if (!isMap(entries)) throw fault(`${section} must be a map of names`);
    for (const [name, value] of Object.entries(entries)) {
      if (name.startsWith('x-')) continue;
      if (!/^(?!\.+$)[A-Za-z0-9._-]+$/.test(name)) {
        throw fault(`${section}.${name}: a name consists of letters, digits, ".", "_" and "-"`);
      }
      // A tagged entry is as good as a map: merging looks at the tag.
      if (value instanceof Tagged) doc[section][name] = value as unknown as ComposeMap;
      else if (isMap(value)) doc[section][name] = withoutExtensions(value);
      else if (value === null && section !== 'services') doc[section][name] = {};
      else throw fault(`${section}.${name} must be a map`);
    }
  }
  for (const [name, service] of Object.entries(doc.services)) checkService(service, `services.${name}`, fault);
  return doc;
}

function withoutExtensions(map: ComposeMap): ComposeMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !key.startsWith('x-')));
}

type Shape = 'text' | 'list' | 'map' | 'text or list' | 'text or map' | 'list or map';
/** The keys that Slipway itself looks into; the rest is for Compose to judge. */
const SHAPES: Record<string, Shape> = {
  image: 'text',
  build: 'text or map',
  environment: 'list or map',
  env_file: 'text or list',
  labels: 'list or map',
  volumes: 'list',
  ports: 'list',
  secrets: 'list',
  configs: 'list',
  devices: 'list',
  profiles: 'list',
  depends_on: 'list or map',
  networks: 'list or map',
  command: 'text or list',
  entrypoint: 'text or list',
  healthcheck: 'map',
  deploy: 'map',
  extends: 'text or map',
};

function checkService(service: Service, where: string, fault: (message: string) => Error): void {
  if ((service as unknown) instanceof Tagged) return;
  for (const [key, shape] of Object.entries(SHAPES)) {
    const value = service[key];
    if (value === undefined || value === null || value instanceof Tagged) continue;
    const actual = Array.isArray(value) ? 'list' : isMap(value) ? 'map' : 'text';
    if (!shape.split(' or ').includes(actual)) throw fault(`${where}.${key} must be a ${shape}`);
  }
}

/** Merged texts, too: what was aliased is written out in them. */
const MAX_BYTES = 1024 * 1024;

function readTagged(text: string, file: string): unknown {
  try {
    const { value, document } = readYaml(text, { tags: 'ignore', maxBytes: MAX_BYTES });
    if (text.includes('\0') || JSON.stringify(value)?.includes('\\u0000')) throw new YamlError('holds a NUL', 1, 1);
    visit(document, {
      Node(_, node, ancestors) {
        if (!('tag' in node) || (node.tag !== '!reset' && node.tag !== '!override')) return;
        const path = keysOf([...ancestors, node]);
        if (path.includes('<<')) throw invalid(`${file}: ${node.tag} cannot be used below "<<"`, file);
        replaceAt(value, path, (inner) => new Tagged(node.tag === '!reset' ? 'reset' : 'override', inner));
      },
    });
    return value;
  } catch (thrown) {
    if (!(thrown instanceof YamlError)) throw thrown;
    throw invalid(`${file}:${thrown.line}:${thrown.column}: ${thrown.message}`, file);
  }
}

/** Keys and list positions from the root to the last of `nodes`. */
function keysOf(nodes: readonly unknown[]): (string | number)[] {
  return nodes.flatMap((node, at): (string | number)[] => {
    if (isPair(node)) return [isScalar(node.key) ? String(node.key.value) : String(node.key)];
    const parent = nodes[at - 1] as { items?: unknown[] } | undefined;
    const index = isPair(parent) ? -1 : (parent?.items?.indexOf(node) ?? -1);
    return index < 0 ? [] : [index];
  });
}

function replaceAt(root: unknown, path: (string | number)[], change: (value: unknown) => unknown): void {
  const last = path.at(-1);
  if (last === undefined) return;
  let holder = root as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) {
    const next = holder[key];
    holder = (next instanceof Tagged ? next.value : next) as Record<string | number, unknown>;
  }
  holder[last] = change(holder[last]);
}

/** The text of a document, tags included, for people and for `parseCompose`. Same document, same bytes. */
export function stringifyCompose(doc: ComposeDocument): string {
  const tags: { path: (string | number)[]; tag: string }[] = [];
  const document = new Document(untag(compact(doc), [], tags), { aliasDuplicateObjects: false });
  for (const { path, tag } of tags) {
    const node = document.getIn(path, true) as { tag?: string };
    node.tag = tag;
  }
  return document.toString({ lineWidth: 0 });
}

function untag(value: unknown, path: (string | number)[], tags: { path: (string | number)[]; tag: string }[]): unknown {
  if (value instanceof Tagged) {
    tags.push({ path, tag: `!${value.tag}` });
    return untag(value.value, path, tags);
  }
  if (Array.isArray(value)) return value.map((item, index) => untag(item, [...path, index], tags));
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, untag(item, [...path, key], tags)]));
}

/** Without empty sections. */
export function compact(doc: ComposeDocument): ComposeMap {
  return Object.fromEntries(
    SECTIONS.filter((section) => Object.keys(doc[section]).length > 0).map((section) => [section, doc[section]]),
  );
}
