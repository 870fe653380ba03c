/** When a stack counts as healthy. Pure: the engine's answers go in, a verdict comes out. */
import { parse } from 'yaml';
import { isFinished, type StackContainer } from './stack-observe.ts';

/** A container without a health check counts as healthy once it has run this long (ms) without a restart. */
export const STEADY_AFTER = 5_000;
/**
 * Restarts during one wait that are taken for "its database is not there yet": the engine doubles the pause after each,
 * so a container that always exits at once is given up within about ten seconds.
 */
export const RESTARTS_TOLERATED = 5;

export interface Verdict {
  state: 'healthy' | 'waiting' | 'failed';
  /** Continues "web: …". */
  why: string;
}

/** Replicas by service that the compose text asks for; services behind a profile are not asked for. */
export function wantedReplicas(text: string): Map<string, number> {
  interface Service {
    profiles?: string[];
    scale?: number;
    deploy?: { replicas?: number };
  }
  const { services } = parse(text) as { services?: Record<string, Service> };
  return new Map(
    Object.entries(services ?? {})
      .filter(([, service]) => !service.profiles?.length)
      .map(([name, service]) => [name, Number(service.deploy?.replicas ?? service.scale ?? 1)]),
  );
}

/**
 * @param engineNow epoch ms by the engine's own clock, which may differ from this machine's
 * @param restartsBefore restarts that had been counted when this wait began
 */
export function judge(container: StackContainer, engineNow: number, restartsBefore: number): Verdict {
  const { State, RestartCount } = container.info;
  if (isFinished(container)) return { state: 'healthy', why: 'has finished with exit code 0' };
  if (State.Restarting || (State.Running && RestartCount - restartsBefore > RESTARTS_TOLERATED)) {
    const why = `keeps restarting (${RestartCount} times, last exit code ${State.ExitCode})`;
    return { state: RestartCount - restartsBefore > RESTARTS_TOLERATED ? 'failed' : 'waiting', why };
  }
  if (State.Status === 'exited' || State.Status === 'dead') {
    const why = `is ${State.Status} with exit code ${State.ExitCode}${State.OOMKilled ? ' (out of memory)' : ''}`;
    return { state: 'failed', why: State.Error ? `${why}: ${State.Error}` : why };
  }
  if (!State.Running || State.Paused) return { state: 'waiting', why: `is ${State.Status}` };
  switch (State.Health?.Status ?? 'none') {
    case 'healthy':
      return { state: 'healthy', why: 'is healthy' };
    case 'unhealthy':
      return { state: 'failed', why: 'is unhealthy' };
    case 'starting':
      return { state: 'waiting', why: 'has a health check that has not passed yet' };
  }
  return engineNow - Date.parse(State.StartedAt) >= STEADY_AFTER
    ? { state: 'healthy', why: `has run for ${STEADY_AFTER / 1000} s` }
    : { state: 'waiting', why: `has not run for ${STEADY_AFTER / 1000} s yet` };
}

export interface StackReport {
  state: Verdict['state'];
  /** A sentence for each service that is not healthy. */
  problems: string[];
  /** Containers that keep the stack from being healthy. */
  culprits: StackContainer[];
}

/** The stack is as healthy as its worst service. */
export function judgeStack(
  wanted: Map<string, number>,
  containers: StackContainer[],
  verdictOf: (container: StackContainer) => Verdict,
): StackReport {
  const report: StackReport = { state: 'healthy', problems: [], culprits: [] };
  for (const [service, replicas] of wanted) {
    const verdicts = containers
      .filter((container) => container.service === service)
      .map((container) => ({ container, ...verdictOf(container) }));
    const bad = verdicts.filter(({ state }) => state !== 'healthy');
    const healthy = verdicts.length - bad.length;
    if (healthy >= replicas && bad.length === 0) continue;
    if (bad.some(({ state }) => state === 'failed')) report.state = 'failed';
    else if (report.state === 'healthy') report.state = 'waiting';
    const details = bad.map(({ container, why }) => `${container.name} ${why}`).join(', ');
    report.problems.push(`${service}: ${healthy} of ${replicas} healthy${details ? `; ${details}` : ''}`);
    report.culprits.push(...bad.map(({ container }) => container));
  }
  return report;
}
