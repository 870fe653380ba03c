/** Where everything is. Pages are loaded when they are first gone to. */
import type { ComponentType } from 'react';
import { createBrowserRouter } from 'react-router';
import { Shell } from './components/shell.tsx';
import { BrokenPage, MissingPage } from './pages/missing-page.tsx';

const page = (load: () => Promise<ComponentType>) => ({ lazy: async () => ({ Component: await load() }) });

export const router = createBrowserRouter([
  {
    Component: Shell,
    HydrateFallback: () => null,
    ErrorBoundary: BrokenPage,
    children: [
      { index: true, ...page(async () => (await import('./pages/home/home-page.tsx')).HomePage) },
      { path: 'sign-in', ...page(async () => (await import('./pages/home/home-page.tsx')).HomePage) },
      { path: 'projects', ...page(async () => (await import('./pages/projects/projects-page.tsx')).ProjectsPage) },
      { path: 'board', ...page(async () => (await import('./pages/board/board-page.tsx')).BoardPage) },
      { path: 'approvals', ...page(async () => (await import('./pages/approvals/approvals-page.tsx')).ApprovalsPage) },
      {
        path: 'p/:project/:pipeline',
        ...page(async () => (await import('./pages/pipeline/pipeline-page.tsx')).PipelinePage),
      },
      {
        path: 'p/:project/:pipeline/:number',
        ...page(async () => (await import('./pages/build/build-page.tsx')).BuildPage),
      },
      {
        path: 'promote/:project/:stack/:release/:environment',
        ...page(async () => (await import('./pages/promote/promote-page.tsx')).PromotePage),
      },
      {
        path: 'env/:project/:environment',
        ...page(async () => (await import('./pages/environment/environment-page.tsx')).EnvironmentPage),
      },
      {
        path: 'env/:project/:environment/deployments/:number',
        ...page(async () => (await import('./pages/deployment/deployment-page.tsx')).DeploymentPage),
      },
      { path: '*', Component: MissingPage },
    ],
  },
]);
