/** Looks at what runs in an environment, before a deployment or for its own sake. Changes nothing. */
import type { InspectStep, ObservedService } from '../../pipelines/model.ts';
import type { StackRef } from '../../pipelines/ports.ts';
import { LABEL, stepCookie, withRole } from '../labels.ts';
import { stackEngine } from '../tools/compose.ts';
import { passed, type StepContext, type StepExecutor } from './step.ts';

/** For `of: 'engine'`. Throws `RemoteError('engine', 'unreachable')` within 10 s where the engine is away. */
export const inspectStep: StepExecutor<InspectStep> = async (_step, context) => {
  const { log, signal } = context;
  const stack = stackOf(context);
  const observed = await stackEngine(stack.engine, null).observe(stack, signal);
  if (observed.length === 0) log.notice(`nothing runs as ${stack.composeProject}`);
  for (const service of observed) log.notice(describe(service));
  return passed({ observed });
};

export const describe = ({ name, replicas, healthy, digest }: ObservedService): string =>
  `${name}: ${healthy} of ${replicas} healthy, ${digest ?? 'digest unknown'}`;

/** The stack that a deployment or task is about. */
export function stackOf({ claim: { plan, runId }, settings }: Pick<StepContext, 'claim' | 'settings'>): StackRef {
  if (plan.kind === 'build') throw new Error('a build has no stack');
  const labels = withRole(
    {
      [LABEL.instance]: settings.instance,
      [LABEL.project]: plan.project,
      [LABEL.environment]: plan.environment,
      [LABEL.stack]: plan.stack,
    },
    'stack',
  );
  const cookie = stepCookie(settings.instance, runId, plan.stack);
  return { engine: plan.engine, composeProject: plan.composeProject, labels, cookie };
}
