import { api } from '../../api/client.ts';
import type { Deployment, Step } from '../../api/types.ts';
import { LogView } from '../../log/log-view.tsx';

export function StepLog({ run, step }: { run: Deployment; step: Step }) {
  const { project, environment, number } = run;
  const url = api`/projects/${project}/environments/${environment}/deployments/${number}/steps/${step.name}/log`;
  return <LogView url={url} live={step.status === 'running'} name={step.name} />;
}
