/** Deployments that are asked for and not finished, in full, over all my projects. */
import { useQueries, useQuery } from '@tanstack/react-query';
import { deployment, queue } from './queries.ts';
import type { Deployment, QueueItem } from './types.ts';

const isDeployment = (item: QueueItem): item is QueueItem & { environment: string } =>
  item.kind === 'deployment' && item.environment !== null;

export function useOpenDeployments(): Deployment[] {
  const { data } = useQuery(queue);
  const asked = (data?.items ?? []).filter(isDeployment);
  return useQueries({
    queries: asked.map((item) => deployment(item.project, item.environment, item.number)),
    combine: (results) => results.flatMap(({ data: run }) => (run && run.status !== 'finished' ? [run] : [])),
  });
}

export const waitsForApproval = (run: Deployment): boolean =>
  run.status === 'waiting' && run.gates.some(({ gate, open }) => gate === 'approvals' && !open);
