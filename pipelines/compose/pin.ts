/** Pinning: what a release calls an image is what it is, by digest, and never again what a tag happens to mean. */
import { invalid } from '../errors.ts';
import type { BuiltImage, ReleaseImage } from '../model.ts';
import type { ComposeDocument, Service } from './document.ts';
import { Tagged } from './document.ts';
import { interpolate, type Lookup } from './interpolate.ts';

export interface PinContext {
  built: readonly BuiltImage[];
  /** `host[:port][/path]` of the project's registry, if it has one. */
  registry: string | null;
  /** Default values of variables (`.env`): what an image's name may use. */
  lookup: Lookup;
}

/** What a service's image comes from: a build of this run, or an image by name. null: this document does not say. */
type ImageSource = { built: BuiltImage } | { image: string } | null;

function imageSource(name: string, service: Service, { built, registry, lookup }: PinContext): ImageSource {
  const image = typeof service.image === 'string' ? interpolate(service.image, lookup).trim() : '';
  if (image.includes('@') && !isBuilt(service)) return { image };
  const named = image === '' ? undefined : built.find((candidate) => isCalled(image, candidate.name, registry));
  const match = named ?? (isBuilt(service) ? built.find(({ service }) => service === name) : undefined);
  if (match) return { built: match };
  return image === '' ? null : { image };
}

/** Whether the image of a service is made by a build. */
export const isBuilt = ({ build }: Service): boolean => build !== undefined && build !== null;

/** Whether `image`, with or without registry and tag, is the image that the registry knows as `name`. */
function isCalled(image: string, name: string, registry: string | null): boolean {
  const repository = repositoryOf(image).toLowerCase();
  return [repository, withoutHost(repository), builtName(image, registry)].includes(name);
}

const PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${PART}(?:/${PART})*$`);

/**
 * What a build calls `image` in the project's registry: neither that registry nor another host, no tag, no digest, in
 * lower case. Throws `invalid` where it is not the name of an image.
 */
export function builtName(image: string, registry: string | null): string {
  const repository = repositoryOf(image);
  const ours = registry !== null && repository.startsWith(`${registry}/`);
  const name = (ours ? repository.slice(registry.length + 1) : withoutHost(repository)).toLowerCase();
  if (!NAME.test(name)) throw notAnImage(image);
  return name;
}

const notAnImage = (image: string): Error => invalid(`"${image}" is not the name of an image`);

/** Without tag and digest. */
const repositoryOf = (image: string): string => image.replace(/@.*$/s, '').replace(/:[^/]*$/, '');

function withoutHost(repository: string): string {
  const [first = '', ...rest] = repository.split('/');
  return rest.length > 0 && isHost(first) ? rest.join('/') : repository;
}

const isHost = (part: string): boolean => part.includes('.') || part.includes(':') || part === 'localhost';

export interface ImageName {
  /** With the registry where the name has one, e.g. `registry:5000/shop/web`. */
  repository: string;
  /** null for the registry where the name has none: Docker Hub. */
  host: string | null;
  tag: string;
  digest: string | null;
}

const IMAGE = /^[a-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?$/;

/** Splits an image's name. Throws `invalid` where it is not one. */
export function parseImage(image: string): ImageName {
  if (!IMAGE.test(image)) throw notAnImage(image);
  const [name = '', digest = null] = image.split('@');
  const repository = repositoryOf(name);
  const first = repository.split('/')[0] ?? '';
  return {
    repository,
    host: repository.includes('/') && isHost(first) ? first : null,
    tag: name.slice(repository.length + 1) || 'latest',
    digest,
  };
}

export interface Pinned {
  doc: ComposeDocument;
  /** Each image once, in order of name. */
  images: ReleaseImage[];
}

/** Images of `docs` that no step of the run built, as they are written, each once. */
export function thirdPartyImages(docs: readonly ComposeDocument[], context: PinContext): string[] {
  const names = docs.flatMap((doc) =>
    Object.entries(doc.services).flatMap(([name, service]) => {
      const source = locate(name, service, context);
      return source && 'image' in source ? [source.image] : [];
    }),
  );
  return [...new Set(names)].sort();
}

/**
 * Every service of `doc` with `image: <by digest>` and no `build:`. `resolved` has what `thirdPartyImages` asked for.
 * `base` is the document that an override is merged on: there an entry need not name an image.
 */
export function pin(
  doc: ComposeDocument,
  context: PinContext,
  resolved: ReadonlyMap<string, ReleaseImage>,
  base?: ComposeDocument,
): Pinned {
  const images = new Map<string, ReleaseImage>();
  const services: Record<string, Service> = {};
  for (const [name, service] of Object.entries(doc.services)) {
    if (isReset(service)) {
      services[name] = service;
      continue;
    }
    const source = locate(name, service, context);
    const image = source && ('built' in source ? releaseImage(source.built) : resolved.get(source.image));
    if (image) images.set(image.reference, image);
    else if (source || !(base && Object.hasOwn(base.services, name))) throw unpinned(name, service);
    services[name] = withImage(service, image?.reference);
  }
  return { doc: { ...doc, services }, images: [...images.values()].sort(byName) };
}

function locate(name: string, service: Service, context: PinContext): ImageSource {
  const inner = (service as unknown) instanceof Tagged ? (service as unknown as Tagged).value : service;
  try {
    return imageSource(name, (inner ?? {}) as Service, context);
  } catch (thrown) {
    throw invalid(`services.${name}.image: ${(thrown as Error).message}`, `services.${name}.image`);
  }
}

const isReset = (service: unknown): boolean => service instanceof Tagged && service.tag === 'reset';

function unpinned(name: string, service: Service): Error {
  return !isBuilt(service)
    ? invalid(`services.${name} has neither image nor build`, `services.${name}`)
    : invalid(
        `services.${name}.build: no step of this pipeline built it: add a step with "build: {compose: …}" or name its image`,
        `services.${name}.build`,
      );
}

function withImage(service: Service, reference: string | undefined): Service {
  if ((service as unknown) instanceof Tagged) {
    const { tag, value } = service as unknown as Tagged;
    return new Tagged(tag, withImage(value as Service, reference)) as unknown as Service;
  }
  const { build: _build, image: _image, ...rest } = service;
  return reference === undefined ? rest : { image: reference, ...rest };
}

const releaseImage = ({ name, reference, digest }: BuiltImage): ReleaseImage => ({ name, reference, digest });
const byName = (a: ReleaseImage, b: ReleaseImage): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
