/** What services mount: files of the release, files made of secrets, and folders that are only there for data. */
import { createHash } from 'node:crypto';
import { invalid } from '../errors.ts';
import type { ReleaseFile } from '../model.ts';
import { type ComposeDocument, type ComposeMap, isMap, type Service } from './document.ts';
import { asList, insideWorkspace } from './references.ts';
import type { FileVolume, SecretFile } from './render.ts';
import { isHostPath, type Mount, parseMount } from './volumes.ts';

export interface MountContext {
  files: readonly ReleaseFile[];
  directory: string;
  composeProject: string;
  /** Value of a secret (or variable) that a compose `secrets:` or `configs:` entry asks for. */
  secret: (name: string) => string | undefined;
  /** Text with its placeholders for secrets filled in: for what is handed over as a file. */
  reveal: (text: string) => string;
  /** What stands for a variable until the text is written. */
  placeholder: (variable: string) => string;
}

export interface Mounted {
  doc: ComposeDocument;
  volumes: FileVolume[];
  secretVolumes: SecretFile[];
  notices: string[];
}

/** Replaces everything that comes from the workspace, or from secrets, by what exists on any engine. */
export function mountFiles(doc: ComposeDocument, context: MountContext): Mounted {
  const mounter = new Mounter(doc, context);
  const services = Object.fromEntries(
    Object.entries(doc.services).map(([name, service]) => [name, mounter.service(name, service)]),
  );
  const { volumes, secretVolumes, notices, stackVolumes } = mounter;
  return {
    doc: { ...doc, services, volumes: { ...doc.volumes, ...stackVolumes }, secrets: {}, configs: {} },
    volumes,
    secretVolumes,
    notices,
  };
}

/** Files that only keep an otherwise empty folder in Git: such a folder is for data. */
const KEEPERS = /(^|\/)\.(gitkeep|keep|gitignore)$/;

class Mounter {
  readonly volumes: FileVolume[] = [];
  readonly secretVolumes: SecretFile[] = [];
  readonly notices: string[] = [];
  /** To be declared at the top of the document. */
  readonly stackVolumes: Record<string, ComposeMap> = {};
  private readonly dataVolumes = new Map<string, string>();
  private readonly doc: ComposeDocument;
  private readonly context: MountContext;

  constructor(doc: ComposeDocument, context: MountContext) {
    this.doc = doc;
    this.context = context;
  }

  service(name: string, { secrets, configs, volumes, ...service }: Service): Service {
    const where = `services.${name}`;
    const grants = [...this.grants(where, 'secrets', secrets), ...this.grants(where, 'configs', configs)];
    const mounts = asList(volumes).map((entry) => ({ entry, mount: parseMount(entry) }));
    const targets = [...mounts.map(({ mount }) => mount?.target ?? ''), ...asList(service.tmpfs).map(tmpfsTarget)];
    const single = mounts.map(({ mount }) => (mount ? this.bundledFile(where, mount) : undefined));
    const files = [...single, ...grants.map(({ file }) => file)].filter((file) => file !== undefined);
    // One volume a service: a changed file restarts the services that mount it, and no others.
    const fileRoot = files.length > 0 ? this.fileVolume(files, []).variable : '';
    const secretFiles = grants.flatMap(({ entry }) => (entry ? [entry] : []));
    const secretRoot = secretFiles.length > 0 ? this.secretVolume(name, secretFiles).variable : '';

    const mounted = mounts.map(({ entry, mount }, at) => {
      const file = single[at];
      if (mount && file) return this.bind(fileRoot, file.path, mount.target);
      return mount?.type === 'bind' && mount.source !== null && !isHostPath(mount.source)
        ? this.folder(where, mount, mount.source, targets)
        : withoutHostPathCreation(entry);
    });
    const granted = grants.map(({ file, entry, target }) =>
      file ? this.bind(fileRoot, file.path, target) : this.bind(secretRoot, entry?.path ?? '', target),
    );
    return mounted.length + granted.length > 0 ? { ...service, volumes: [...mounted, ...granted] } : service;
  }

  /** `path` below the files of a volume, '' for all of them. */
  private bind(variable: string, path: string, target: string): ComposeMap {
    const root = this.context.placeholder(variable);
    return { type: 'bind', source: path === '' ? root : `${root}/${path}`, target, read_only: true };
  }

  private bundledFile(where: string, { type, source, target, readOnly }: Mount): ReleaseFile | undefined {
    if (type !== 'bind' || source === null || isHostPath(source)) return undefined;
    const path = insideWorkspace(this.context.directory, source, `${where}.volumes`);
    const file = this.context.files.find((candidate) => candidate.path === path);
    if (file && !readOnly)
      this.notices.push(`${where}.volumes: ${target} is read-only: it shows ${path} of the release`);
    return file;
  }

  /** A relative folder: read-only from the release, or, where the release has none, a volume that the stack keeps. */
  private folder(where: string, mount: Mount, source: string, targets: string[]): ComposeMap {
    const path = insideWorkspace(this.context.directory, source, `${where}.volumes`);
    const prefix = path === '' ? '' : `${path}/`;
    const files = this.context.files.filter((file) => file.path.startsWith(prefix));
    if (files.every((file) => KEEPERS.test(file.path))) return this.dataVolume(where, mount, source, path);
    if (!mount.readOnly) {
      this.notices.push(
        `${where}.volumes: ${mount.target} is read-only: it shows ${path || 'the workspace'} of the release`,
      );
    }
    const inner = files.map((file) => ({ ...file, path: file.path.slice(prefix.length) }));
    const inside = targets
      .filter((target) => target.startsWith(`${mount.target}/`))
      .map((target) => target.slice(mount.target.length + 1))
      .filter((target) => !inner.some((file) => file.path === target));
    return this.bind(this.fileVolume(inner, [...new Set(inside)].sort()).variable, '', mount.target);
  }

  private dataVolume(where: string, mount: Mount, source: string, path: string): ComposeMap {
    let name = this.dataVolumes.get(path);
    if (name === undefined) {
      name = slug(source);
      // The name must be the same in every release, or the data would seem to be lost.
      if (name === '' || name in this.doc.volumes || name in this.stackVolumes)
        name = `${name || 'data'}-${hash(path).slice(0, 8)}`;
      this.dataVolumes.set(path, name);
      this.stackVolumes[name] = {};
      this.notices.push(
        `${where}.volumes: ${source} is not in the release: its data is kept in the volume "${name}" of the stack`,
      );
    }
    return { type: 'volume', source: name, target: mount.target, ...(mount.readOnly ? { read_only: true } : {}) };
  }

  private fileVolume(files: ReleaseFile[], directories: string[]): FileVolume {
    const sorted = [...new Map(files.map((file) => [file.path, file])).values()].sort((a, b) =>
      a.path < b.path ? -1 : 1,
    );
    const content = sorted.map(({ path, sha256, mode }) => [path, sha256, mode]);
    const name = `slipway-files-${hash(JSON.stringify([content, directories])).slice(0, 16)}`;
    const known = this.volumes.find((volume) => volume.name === name);
    if (known) return known;
    const made = { name, variable: `SLIPWAY_FILES_${this.volumes.length}`, files: sorted, directories };
    this.volumes.push(made);
    return made;
  }

  private secretVolume(service: string, entries: SecretFile['entries']): SecretFile {
    const made: SecretFile = {
      volume: `slipway-secrets-${this.context.composeProject}-${service}`,
      variable: `SLIPWAY_SECRETS_${this.secretVolumes.length}`,
      entries: [...new Map(entries.map((entry) => [entry.path, entry])).values()],
    };
    this.secretVolumes.push(made);
    return made;
  }

  private grants(where: string, section: 'secrets' | 'configs', grants: unknown): Grant[] {
    return asList(grants).map((grant) => {
      const { source, target } = isMap(grant) ? grant : { source: grant, target: undefined };
      const name = String(source);
      const definition = Object.hasOwn(this.doc[section], name) ? this.doc[section][name] : undefined;
      if (!definition)
        throw invalid(`${where}.${section}: ${name} is not declared below "${section}"`, `${where}.${section}`);
      const content = this.content(`${section}.${name}`, name, definition);
      const folder = section === 'secrets' ? '/run/secrets/' : '/';
      const path = String(target ?? name);
      return {
        target: path.startsWith('/') ? path : `${folder}${path}`,
        ...(typeof content === 'string'
          ? { entry: { path: `${section}/${name}`, value: content } }
          : { file: content }),
      };
    });
  }

  /** A file of the release, or the text of a file to be made. */
  private content(
    where: string,
    name: string,
    { file, environment, external, content, ...rest }: ComposeMap,
  ): ReleaseFile | string {
    if (typeof file === 'string') {
      const path = insideWorkspace(this.context.directory, file, `${where}.file`);
      const found = this.context.files.find((candidate) => candidate.path === path);
      if (!found) throw invalid(`${where}.file: ${path} is not in the release`, `${where}.file`);
      return found;
    }
    if (typeof content === 'string') return this.context.reveal(content);
    if (environment === undefined && !external) {
      throw invalid(`${where} must have one of file, environment, external and content`, where);
    }
    const outer = isMap(external) ? external.name : undefined;
    const wanted = String(environment ?? outer ?? rest.name ?? name);
    const value = this.context.secret(wanted) ?? this.context.secret(wanted.toUpperCase().replaceAll(/[.-]/g, '_'));
    if (value === undefined) {
      throw invalid(`${where}: the environment has no secret ${wanted}: add it there or to the project`, where);
    }
    return value;
  }
}

interface Grant {
  target: string;
  file?: ReleaseFile;
  entry?: { path: string; value: string };
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
const slug = (path: string): string =>
  path
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .toLowerCase();
const tmpfsTarget = (entry: unknown): string => String(entry).split(':')[0] ?? '';

/** Compose v1 does not know `bind.create_host_path`, and v2 has it as its default. */
function withoutHostPathCreation(entry: unknown): unknown {
  if (!isMap(entry) || !isMap(entry.bind)) return entry;
  const { create_host_path: _, ...bind } = entry.bind;
  return { ...entry, bind };
}
