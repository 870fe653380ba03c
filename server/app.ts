/** The HTTP side, put together: it knows the configuration stores and `Services`, and nothing of how runs are run. */
import express, { type Express } from 'express';
import helmet from 'helmet';
import { notFound } from '../pipelines/errors.ts';
import { createMetrics } from './metrics.ts';
import { openApi } from './openapi.ts';
import { problemHandler } from './problem.ts';
import { type Deps, routerOf } from './route.ts';
import { hookRoutes } from './routes/hooks.ts';
import { apiRoutes } from './routes/index.ts';
import { rootRoutes } from './routes/system.ts';
import { serveClient } from './static.ts';

export const API_PREFIX = '/api/v1';
/** Of the API, as OpenAPI names it. */
const API_VERSION = '1';

export function createApp(given: Omit<Deps, 'now'> & Partial<Pick<Deps, 'now'>>): Express {
  const deps: Deps = { now: Date.now, ...given };
  const { config } = deps;
  const metrics = createMetrics(deps.db);
  const hooks = hookRoutes();
  let document: object | undefined;
  const root = rootRoutes(metrics, () => {
    document ??= openApi(
      [
        { prefix: API_PREFIX, routes: apiRoutes },
        { prefix: '', routes: [...root, ...hooks] },
      ],
      API_VERSION,
      config.publicUrl,
    );
    return document;
  });

  const app = express();
  app.set('trust proxy', config.trustProxy);
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(metrics.observe);
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'self'"],
          baseUri: ["'none'"],
          formAction: ["'self'"],
          frameAncestors: ["'none'"],
          objectSrc: ["'none'"],
          imgSrc: ["'self'", 'data:'],
        },
      },
      // Only where TLS is certain: on plain HTTP the header means nothing, and behind a proxy it is the proxy's.
      strictTransportSecurity: config.tlsCert !== null,
    }),
  );
  app.use(routerOf(root, deps));
  app.use(routerOf(hooks, deps));
  app.use(API_PREFIX, routerOf(apiRoutes, deps));
  app.use(serveClient());
  app.use((request, _response, next) => next(notFound(`there is no ${request.method} ${request.path.slice(0, 200)}`)));
  app.use(problemHandler(deps.logger));
  return app;
}
