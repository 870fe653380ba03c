import type { Deployment } from '../../api/types.ts';

/** Releases that ran here and could again; the one that ran last comes first. */
export function earlierReleases(history: Deployment[], stack: string, current: string | null): string[] {
  const been = history.filter((run) => run.stack === stack && run.result === 'passed').map(({ release }) => release);
  return [...new Set(been)].filter((release) => release !== current);
}
