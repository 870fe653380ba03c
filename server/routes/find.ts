/** Looking up what a path names, or 404. */
import { AppError, conflict, notFound } from '../../pipelines/errors.ts';
import type { BuildRun, DeploymentRun, Environment, Release } from '../../pipelines/model.ts';
import type { Context } from '../route.ts';
import type { Db } from '../store/db.ts';
import { environmentByName } from '../store/environments.ts';
import { type Pipeline, pipelineByName } from '../store/pipelines.ts';
import type { Project } from '../store/projects.ts';

type In<Names extends string> = Pick<Context, 'db' | 'services'> & { project: Project; params: Record<Names, string> };

export function findPipeline({
  db,
  project,
  params,
}: {
  db: Db;
  project: Project;
  params: { pipeline: string };
}): Pipeline {
  const found = pipelineByName(db, project.id, params.pipeline);
  if (!found) throw notFound(`there is no pipeline "${params.pipeline}" in project ${project.slug}`);
  return found;
}

export function findEnvironment({
  db,
  project,
  params,
}: {
  db: Db;
  project: Project;
  params: { environment: string };
}): Environment {
  const found = environmentByName(db, project.id, params.environment);
  if (!found) throw notFound(`there is no environment "${params.environment}" in project ${project.slug}`);
  return found;
}

const numberOf = (text: string): number => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0);

export function findBuild(context: In<'pipeline' | 'number'>): { pipeline: Pipeline; run: BuildRun } {
  const pipeline = findPipeline(context);
  const run = context.services.runs.build(pipeline.id, numberOf(context.params.number));
  if (!run) throw notFound(`there is no build ${context.params.number} of ${pipeline.name}`);
  return { pipeline, run };
}

export function findDeployment(context: In<'environment' | 'number'>): {
  environment: Environment;
  run: DeploymentRun;
} {
  const environment = findEnvironment(context);
  const run = context.services.runs.deployment(environment.id, numberOf(context.params.number));
  if (!run) throw notFound(`there is no deployment ${context.params.number} to ${environment.name}`);
  return { environment, run };
}

/** `stack` may be left out where the project has one. */
export function findRelease(
  { services, project }: Pick<In<never>, 'services' | 'project'>,
  version: string,
  stack?: string,
): Release {
  const stacks = services.releases.stacksOf(project.id);
  const [only, ...others] = stacks;
  if (stack === undefined && others.length > 0) {
    throw new AppError('invalid', `stack: is missing, project ${project.slug} has ${stacks.join(', ')}`, {
      field: 'stack',
    });
  }
  const named = stack ?? only;
  const found = named === undefined ? undefined : services.releases.get(project.id, named, version);
  if (!found) throw notFound(`there is no release "${version}"${named === undefined ? '' : ` of stack ${named}`}`);
  return found;
}

/** Refuses to delete what something else needs. */
export function refuseHeld(what: string, holders: readonly string[]): void {
  if (holders.length === 0) return;
  throw conflict(`${what} cannot be deleted: ${holders.join('; ')}`, { holders });
}
