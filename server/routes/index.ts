/** Every call below `/api/v1`. */
import type { Route } from '../route.ts';
import { buildRoutes } from './builds.ts';
import { deploymentRoutes } from './deployments.ts';
import { environmentRoutes } from './environments.ts';
import { pipelineRoutes } from './pipelines.ts';
import { memberRoutes, projectRoutes, registryRoutes, secretRoutes } from './projects.ts';
import { releaseRoutes } from './releases.ts';
import { sessionRoutes, userRoutes } from './session.ts';
import { sourceRoutes } from './sources.ts';
import { systemRoutes } from './system.ts';

export const apiRoutes: readonly Route[] = [
  ...sessionRoutes,
  ...userRoutes,
  ...projectRoutes,
  ...memberRoutes,
  ...registryRoutes,
  ...secretRoutes,
  ...environmentRoutes,
  ...pipelineRoutes,
  ...sourceRoutes,
  ...buildRoutes,
  ...releaseRoutes,
  ...deploymentRoutes,
  ...systemRoutes,
];
