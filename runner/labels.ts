/** Labels on everything Slipway makes on an engine. What does not bear this installation's is never touched. */

export const LABEL = {
  instance: 'slipway.instance',
  run: 'slipway.run',
  step: 'slipway.step',
  role: 'slipway.role',
  project: 'slipway.project',
  environment: 'slipway.environment',
  stack: 'slipway.stack',
} as const;

/** `step` and `service` end with their step, `cache`, `stack` and `files` outlive it. */
export type LabelRole = 'step' | 'service' | 'cache' | 'stack' | 'files';

/** Of the containers and networks that a step makes for itself. */
export const stepLabels = (instance: string, runId: number, step: string): Record<string, string> => ({
  [LABEL.instance]: instance,
  [LABEL.run]: String(runId),
  [LABEL.step]: step,
  [LABEL.role]: 'step',
});

export const withRole = (labels: Record<string, string>, role: LabelRole): Record<string, string> => ({
  ...labels,
  [LABEL.role]: role,
});

/** The `SLIPWAY_COOKIE` of a step's processes on the host: `<instance>:<run>:<step>`; see `tools/processes.ts`. */
export const stepCookie = (instance: string, runId: number, step: string): string => `${instance}:${runId}:${step}`;
