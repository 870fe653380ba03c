/** Turns a release into the final compose text for one environment. */
import { stringify } from 'yaml';
import { invalid } from '../errors.ts';
import type { Policy, ReleaseFile, Target } from '../model.ts';
import type { RenderedStack } from '../ports.ts';
import { compatible } from './compatible.ts';
import {
  type ComposeDocument,
  type ComposeMap,
  compact,
  EMPTY,
  isMap,
  parseCompose,
  type Service,
} from './document.ts';
import { parseEnvFile, withDefaults } from './env-file.ts';
import { interpolateTree, type Lookup } from './interpolate.ts';
import { mapValues } from './load.ts';
import { mergeCompose, normalise, pairs } from './merge.ts';
import { mountFiles } from './mounts.ts';
import { checkPolicy } from './policy.ts';
import { envFiles, insideWorkspace } from './references.ts';

/**
 * Bundled files that services mount: go to the engine as a volume of this name, named by its content, so that it never
 * changes and filling it twice is harmless. The text mounts them, read-only, from the variable.
 */
export interface FileVolume {
  /** `slipway-files-<first 16 hex of the content hash>` */
  name: string;
  /** Stands in the text for the folder on the engine that holds the files, e.g. `SLIPWAY_FILES_0`. */
  variable: string;
  /** Paths are relative to that folder. */
  files: ReleaseFile[];
  /** Empty folders that other mounts need inside this one: what is read-only cannot get them later. */
  directories: string[];
}

/** Secrets, and configs with inline content, that one service reads as files. The name does not tell their content. */
export interface SecretFile {
  /** `slipway-secrets-<compose project>-<service>` */
  volume: string;
  /** As in FileVolume, e.g. `SLIPWAY_SECRETS_0`. */
  variable: string;
  entries: { path: string; value: string }[];
}

export interface Rendering extends RenderedStack {
  volumes: FileVolume[];
  secretVolumes: SecretFile[];
  notices: string[];
}

export interface RenderInput {
  target: Target;
  environment: string;
  composeProject: string;
  policy: Policy;
  labels: Record<string, string>;
  secrets: Record<string, string>;
  /** Text of a bundled file (env files and `.env`), by its path in the release. */
  readFile: (path: string) => string;
}

/** Pure and deterministic. Throws `invalid` naming service and key. */
export function render(input: RenderInput): Rendering {
  const { content } = input.target;
  const lookup = lookupOf(input);
  const written = active(mergedFor(input));
  const filled = interpolateTree(written, lookup);
  const services = mapValues(filled.services, (service, name) =>
    withEnvironment(name, normalise(service), input, lookup),
  );
  const doc: ComposeDocument = { ...filled, services };
  refuseMisplacedSecrets(doc);
  checkPolicy(doc, input.policy);

  const mounted = mountFiles(doc, {
    files: content.files,
    directory: content.directory,
    composeProject: input.composeProject,
    secret: (name) => own(ownSecrets(input), name) ?? own(input.target.variables, name),
    reveal: (text) => text.replaceAll(PLACEHOLDER, (_, name: string) => own(input.secrets, name) ?? ''),
    placeholder,
  });
  const final = labelled(
    {
      ...mounted.doc,
      services: mapValues(mounted.doc.services, (it, name) => compatible(name, it, mounted.doc.services)),
    },
    input.labels,
  );
  const text = textOf(final);
  const used = Object.entries(ownSecrets(input)).filter(([name]) => text.includes(`\${${variableOf(name)}}`));
  return {
    text,
    images: mapValues(final.services, (service, name) => imageOf(name, service)),
    environment: Object.fromEntries(used.map(([name, value]) => [variableOf(name), value])),
    volumes: mounted.volumes,
    secretVolumes: mounted.secretVolumes,
    notices: [...droppedNames(doc), ...mounted.notices],
  };
}

function mergedFor({ target: { content }, environment }: RenderInput): ComposeDocument {
  const base = mergeCompose(EMPTY, parseCompose(content.compose, 'compose file'));
  const override = Object.hasOwn(content.overrides, environment) ? content.overrides[environment] : undefined;
  return override === undefined ? base : mergeCompose(base, parseCompose(override, `override for ${environment}`));
}

/** Without the services that have profiles: as `up` does. */
export function active(doc: ComposeDocument): ComposeDocument {
  const kept = Object.entries(doc.services).filter(
    ([, { profiles }]) => !Array.isArray(profiles) || profiles.length === 0,
  );
  return { ...doc, services: Object.fromEntries(kept) };
}

// ---- variables and secrets -------------------------------------------------------------------------------------------

/**
 * Secrets are never in the text: each is a placeholder that Compose fills in from its own environment. Until the text is
 * written, it begins with a NUL, which no compose file may hold.
 */
const placeholder = (variable: string): string => `\0{${variable}}`;
const PLACEHOLDER = /\0\{(\w+)\}/g;

/** Names that would steer Compose or its libraries, were they set in its environment. */
const STEERING = /^(PATH|HOME|TMPDIR|SHELL|USER|PYTHON.*|(LD|DYLD|DOCKER|COMPOSE|BUILDKIT|SSH|SSL|GIT)_.*|.*_PROXY)$/i;
const variableOf = (secret: string): string => (STEERING.test(secret) ? `SLIPWAY_SECRET_${secret}` : secret);

function own(values: Record<string, string>, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** Names that begin with SLIPWAY_ are ours. */
function ownSecrets({ secrets }: RenderInput): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).filter(([name]) => !name.startsWith('SLIPWAY_')));
}

/** Secrets before variables of the environment before the defaults in `.env`. */
function lookupOf(input: RenderInput): Lookup {
  const { content, variables } = input.target;
  const secrets = ownSecrets(input);
  const outer: Lookup = (name) => {
    if (Object.hasOwn(secrets, name)) return placeholder(name);
    return own(variables, name) ?? (name === 'COMPOSE_PROJECT_NAME' ? input.composeProject : undefined);
  };
  const path = insideWorkspace(content.directory, '.env', '.env');
  const bundled = content.files.some((file) => file.path === path);
  return withDefaults(outer, bundled ? input.readFile(path) : null, path);
}

/** Inlines `env_file` (the service's own environment wins) and takes bare names from outside. */
function withEnvironment(name: string, service: Service, input: RenderInput, lookup: Lookup): Service {
  const { content } = input.target;
  const values: ComposeMap = {};
  for (const { path, required, raw } of envFiles(service)) {
    const where = `services.${name}.env_file`;
    const local = insideWorkspace(content.directory, path, where);
    if (content.files.some((file) => file.path === local)) {
      Object.assign(values, parseEnvFile(input.readFile(local), local, lookup, raw));
    } else if (required) {
      throw invalid(`${where}: ${local} is not in the release`, where);
    }
  }
  Object.assign(values, isMap(service.environment) ? service.environment : {});
  for (const [key, value] of Object.entries(values)) {
    const outer = value === null ? lookup(key) : value;
    if (outer === undefined) delete values[key];
    else values[key] = outer;
  }
  return Object.keys(values).length > 0 ? { ...service, environment: values } : service;
}

/** Where a secret may stand; elsewhere its value would decide what the policy has to judge. */
const FOR_SECRETS = new Set(['environment', 'command', 'entrypoint', 'healthcheck', 'labels', 'logging']);

function refuseMisplacedSecrets({ services, configs, ...sections }: ComposeDocument): void {
  for (const [name, service] of Object.entries(services)) {
    for (const [key, value] of Object.entries(service)) {
      if (!FOR_SECRETS.has(key)) refuseSecrets(value, `services.${name}.${key}`);
    }
  }
  for (const [name, { content: _, ...config }] of Object.entries(configs)) refuseSecrets(config, `configs.${name}`);
  refuseSecrets(sections.networks, 'networks');
  refuseSecrets(sections.volumes, 'volumes');
  refuseSecrets(sections.secrets, 'secrets');
}

function refuseSecrets(value: unknown, field: string): void {
  if (typeof value === 'string') {
    const secret = [...value.matchAll(PLACEHOLDER)][0]?.[1];
    if (secret === undefined) return;
    const places = [...FOR_SECRETS].join(', ');
    throw invalid(`${field}: the secret ${secret} cannot be used here, only in ${places}: make it a variable`, field);
  }
  if (value === null || typeof value !== 'object') return;
  for (const inner of Object.values(value)) refuseSecrets(inner, field);
}

// ---- the text ----------------------------------------------------------------------------------------------------------

function imageOf(name: string, { image }: Service): { reference: string; digest: string } {
  const reference = String(image ?? '');
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
  if (!digest)
    throw invalid(`services.${name}.image: "${reference}" is not pinned to a digest`, `services.${name}.image`);
  return { reference, digest };
}

function droppedNames({ services }: ComposeDocument): string[] {
  return Object.entries(services).flatMap(([name, { container_name }]) =>
    container_name === undefined
      ? []
      : [`services.${name}.container_name is left out: environments may share an engine, where a name is unique`],
  );
}

/** Labels on everything that the stack makes. */
function labelled(doc: ComposeDocument, labels: Record<string, string>): ComposeDocument {
  const bearing = (entry: ComposeMap): ComposeMap => ({
    ...entry,
    labels: { ...(Array.isArray(entry.labels) ? pairs(entry.labels) : (entry.labels as ComposeMap)), ...labels },
  });
  const unlessExternal = (entry: ComposeMap): ComposeMap => {
    if (!entry.external || entry.external === 'false') return bearing(entry);
    // The long form of `external` is deprecated in v2.
    return isMap(entry.external) ? { external: true, name: entry.external.name } : entry;
  };
  const usesDefault = Object.values(doc.services).some(
    ({ networks, network_mode }) => network_mode === undefined && (!isMap(networks) || 'default' in networks),
  );
  const networks = usesDefault ? { default: {}, ...doc.networks } : doc.networks;
  return {
    ...doc,
    services: mapValues(doc.services, bearing),
    networks: mapValues(networks, unlessExternal),
    volumes: mapValues(doc.volumes, unlessExternal),
  };
}

/**
 * Every text is quoted: readers of YAML 1.1 and 1.2 take it alike. Whatever variables there were are filled in, so each
 * `$` but those of placeholders stands for itself.
 */
function textOf(doc: ComposeDocument): string {
  const yaml = stringify(escaped(compact(doc)), {
    version: '1.1',
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
    doubleQuotedAsJSON: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
  return yaml.replaceAll(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** YAML allows these only as escapes. */
const UNPRINTABLE = /[\u007f-\u0084\u0086-\u009f\ufeff\ufffe\uffff]/g;

function escaped(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(/\0\{(\w+)\}|\$/g, (_, name?: string) =>
      name === undefined ? '$$' : `\${${variableOf(name)}}`,
    );
  }
  if (Array.isArray(value)) return value.map(escaped);
  return isMap(value) ? mapValues(value, escaped) : value;
}
