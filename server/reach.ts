/** Where sources are, with what they are reached, and where they are mirrored. */
import { conflict } from '../pipelines/errors.ts';
import type { SourceSpec } from '../pipelines/model.ts';
import type { Scm, SourceAccess } from '../pipelines/ports.ts';
import type { Vault } from './auth/vault.ts';
import { defaultBranch, type Reach } from './repository.ts';
import type { Db } from './store/db.ts';
import {
  credentialsOf,
  furtherCredentials,
  hasSameSource,
  openCredentials,
  type Pipeline,
  type StoredCredentials,
} from './store/pipelines.ts';
import { type Project, projectById } from './store/projects.ts';
import { pollState } from './store/watches.ts';

export interface SourceReach extends Reach {
  /** The pipeline's own source first, then the further ones that its file names. */
  all(pipeline: Pipeline): SourceAccess[];
  /** A source that is not kept yet. */
  trial(project: Project, source: SourceSpec, credentials: StoredCredentials | null): SourceAccess;
}

export function sourceReach(
  db: Db,
  vault: Vault,
  scm: (kind: SourceSpec['kind']) => Scm,
  mirrorFolder: (project: string, url: string) => string,
): SourceReach {
  const cache = ({ projectId }: Pipeline, url: string) => mirrorFolder(projectById(db, projectId)?.slug ?? '', url);
  /** Credentials are read as they are now: they must not go to where the source was before. */
  const unchanged = (pipeline: Pipeline): Pipeline => {
    if (hasSameSource(db, pipeline)) return pipeline;
    throw conflict(`the source of pipeline ${pipeline.name} was changed meanwhile: try again`);
  };
  const reach: SourceReach = {
    scm,
    access: (pipeline) => ({
      source: pipeline.source,
      credentials: credentialsOf(db, vault, unchanged(pipeline)),
      cache: cache(pipeline, pipeline.source.url),
    }),
    accessFurther: (pipeline, { kind, url, branch: followed, secret }, branch) => ({
      source: { kind, url, branches: [followed] },
      credentials: furtherCredentials(db, vault, unchanged(pipeline), { url, secret, branch }),
      cache: cache(pipeline, url),
    }),
    all: (pipeline) => [
      reach.access(pipeline),
      ...pollState(db, pipeline.id).settings.sources.map((source) =>
        reach.accessFurther(pipeline, source, defaultBranch(pipeline)),
      ),
    ],
    trial: (project, source, credentials) => ({
      source,
      credentials: openCredentials(db, vault, project.id, credentials),
      cache: mirrorFolder(project.slug, source.url),
    }),
  };
  return reach;
}
