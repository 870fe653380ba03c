import { describe, expect, test } from 'vitest';
import {
  judge,
  judgeStack,
  RESTARTS_TOLERATED,
  STEADY_AFTER,
  wantedReplicas,
} from '../../runner/tools/stack-health.ts';
import { provenDigest, type StackContainer } from '../../runner/tools/stack-observe.ts';

const START = Date.parse('2026-01-01T00:00:00Z');

interface Seen {
  status?: string;
  exitCode?: number;
  health?: string;
  restarts?: number;
  restarting?: boolean;
  policy?: string;
}

function container(service: string, seen: Seen = {}): StackContainer {
  const { status = 'running', exitCode = 0, health, restarts = 0, restarting = false, policy = 'no' } = seen;
  const State = {
    Status: status,
    Running: status === 'running',
    Restarting: restarting,
    Paused: false,
    ExitCode: exitCode,
    OOMKilled: exitCode === 137,
    Error: '',
    StartedAt: new Date(START).toISOString(),
    ...(health ? { Health: { Status: health, FailingStreak: 0, Log: [] } } : {}),
  };
  const info = { Id: service, State, RestartCount: restarts, HostConfig: { RestartPolicy: { Name: policy } } };
  return { service, name: `${service}_1`, info: info as unknown as StackContainer['info'] };
}

describe('a container', () => {
  const stateAfter = (ms: number, seen: Seen, restartsBefore = 0) =>
    judge(container('web', seen), START + ms, restartsBefore).state;

  test.each<[string, number, Seen, string]>([
    ['with a health check that has passed is healthy at once', 0, { health: 'healthy' }, 'healthy'],
    ['whose health check has not passed yet is waited for', 60_000, { health: 'starting' }, 'waiting'],
    ['that is unhealthy fails', 0, { health: 'unhealthy' }, 'failed'],
    ['without a health check has to run for a while', STEADY_AFTER - 1, {}, 'waiting'],
    ['without a health check is healthy after a while', STEADY_AFTER, {}, 'healthy'],
    ['that has done its work is healthy', 0, { status: 'exited' }, 'healthy'],
    ['that ended with an error fails', 0, { status: 'exited', exitCode: 1 }, 'failed'],
    ['that shall always run and was stopped fails', 0, { status: 'exited', policy: 'always' }, 'failed'],
    ['that was created only is waited for', 0, { status: 'created' }, 'waiting'],
    ['that restarts a few times is waited for', 0, { restarting: true, restarts: RESTARTS_TOLERATED }, 'waiting'],
    ['that keeps restarting fails', 0, { restarting: true, restarts: RESTARTS_TOLERATED + 1 }, 'failed'],
    ['that has just restarted once too often fails', 0, { restarts: RESTARTS_TOLERATED + 1 }, 'failed'],
  ])('%s', (_, ms, seen, state) => {
    expect(stateAfter(ms, seen)).toBe(state);
  });

  test('is not blamed for restarts of the past', () => {
    expect(stateAfter(STEADY_AFTER, { restarts: 100 }, 100)).toBe('healthy');
  });

  test('says why it failed', () => {
    expect(judge(container('web', { status: 'exited', exitCode: 137 }), START, 0).why).toBe(
      'is exited with exit code 137 (out of memory)',
    );
  });
});

describe('a stack', () => {
  const report = (wanted: Record<string, number>, ...containers: StackContainer[]) =>
    judgeStack(new Map(Object.entries(wanted)), containers, (one) => judge(one, START + STEADY_AFTER, 0));

  test('is healthy when every service has its replicas', () => {
    expect(report({ web: 2, off: 0 }, container('web'), container('web'))).toEqual({
      state: 'healthy',
      problems: [],
      culprits: [],
    });
  });

  test('waits for a service that is not there yet', () => {
    expect(report({ web: 1 })).toMatchObject({ state: 'waiting', problems: ['web: 0 of 1 healthy'] });
  });

  test('fails with its worst service, and names it', () => {
    const broken = container('api', { status: 'exited', exitCode: 3 });
    expect(report({ web: 2, api: 1 }, container('web'), broken)).toEqual({
      state: 'failed',
      problems: ['web: 1 of 2 healthy', 'api: 0 of 1 healthy; api_1 is exited with exit code 3'],
      culprits: [broken],
    });
  });

  test('asks for the replicas in the text', () => {
    const text = `services:
  web: { image: a }
  api: { image: a, deploy: { replicas: 3 } }
  old: { image: a, scale: 2 }
  off: { image: a, deploy: { replicas: 0 } }
  debug: { image: a, profiles: [debug] }
`;
    expect(Object.fromEntries(wantedReplicas(text))).toEqual({ web: 1, api: 3, old: 2, off: 0 });
  });
});

describe('a digest is proven', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const id = `sha256:${'b'.repeat(64)}`;
  const prove = (asked: string, known: string[]) =>
    provenDigest({ Image: id, Config: { Image: asked } }, { Id: id, RepoDigests: known });

  test.each<[string, string, string[], string | null]>([
    ['by the image bearing it', `host:5000/web@${digest}`, [`host:5000/web@${digest}`], digest],
    ['by the image id', id, [], id],
    ['not by a reference alone', `host:5000/web@${digest}`, [], null],
    ['not by a tag', 'web:1', [`web@${digest}`], null],
  ])('%s', (_, asked, known, expected) => {
    expect(prove(asked, known)).toBe(expected);
  });
});
