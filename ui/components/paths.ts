/** The client's own addresses. */
import type { Build, Deployment, QueueItem } from '../api/types.ts';

const path = (parts: TemplateStringsArray, ...values: (string | number)[]): string =>
  String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));

export const toPipeline = (project: string, pipeline: string): string => path`/p/${project}/${pipeline}`;
export const toBuild = ({ project, pipeline, number }: Pick<Build, 'project' | 'pipeline' | 'number'>): string =>
  path`/p/${project}/${pipeline}/${number}`;
export const toEnvironment = (project: string, environment: string): string => path`/env/${project}/${environment}`;
export const toDeployment = (run: Pick<Deployment, 'project' | 'environment' | 'number'>): string =>
  path`/env/${run.project}/${run.environment}/deployments/${run.number}`;
export const toPromotion = (project: string, stack: string, release: string, environment: string): string =>
  path`/promote/${project}/${stack}/${release}/${environment}`;

/** Tasks have no page of their own: what they look at has. */
export function toQueued({ kind, project, pipeline, environment, number }: QueueItem): string {
  if (kind === 'build') return toBuild({ project, pipeline: pipeline ?? '', number });
  const where = environment ?? '';
  return kind === 'deployment' ? toDeployment({ project, environment: where, number }) : toEnvironment(project, where);
}
