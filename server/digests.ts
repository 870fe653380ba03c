/** Whether the registry still has what a release pins: asked before a promotion, by the server. */
import { RemoteError } from '../pipelines/errors.ts';
import type { Environment, RegistryCredentials, RegistrySpec, Release } from '../pipelines/model.ts';
import type { Vault } from './auth/vault.ts';
import type { Db } from './store/db.ts';
import { registryCredentials, registryOf } from './store/projects.ts';

const TIMEOUT = 10_000;

/** Answers references that are gone, or null where the registry cannot be asked from here: then the deployment finds out. */
export type FindMissing = (environment: Environment, release: Release) => Promise<string[] | null>;

/** What a registry says of one manifest; null where it has none. */
type Head = (
  registry: RegistrySpec,
  credentials: RegistryCredentials | null,
  repository: string,
  reference: string,
  signal: AbortSignal,
) => Promise<unknown>;

export function missingFinder(db: Db, vault: Vault, head: Head): FindMissing {
  return async (environment, { projectId, content }) => {
    const owner = environment.registry ? environment.id : null;
    const registry = environment.registry ?? registryOf(db, projectId, null);
    if (!registry) return null;
    const credentials = registryCredentials(db, vault, projectId, owner);
    const signal = AbortSignal.timeout(TIMEOUT);
    const own = content.images.filter(({ reference }) => reference.startsWith(`${registry.url}/`));
    try {
      const found = await Promise.all(
        own.map(({ reference, digest }) => head(registry, credentials, nameIn(registry, reference), digest, signal)),
      );
      return own.filter((_, index) => found[index] === null).map(({ reference }) => reference);
    } catch (error) {
      if (error instanceof RemoteError) return null;
      throw error;
    }
  };
}

const nameIn = (registry: RegistrySpec, reference: string): string =>
  reference.slice(registry.url.length + 1).replace(/@.*$/, '');
