/** What the pages read. Keys are `[topic, project, …]`: `events.ts` goes by them. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, get, isStatus, post, withSearch } from './client.ts';
import type {
  BoardRow,
  Build,
  Change,
  Deployment,
  Diff,
  Environment,
  Head,
  List,
  Me,
  Parameter,
  Pipeline,
  Project,
  QueueItem,
  Release,
  Tests,
  Trial,
  Watch,
} from './types.ts';

/** One read, kept under `key`. */
const read = <T>(key: readonly (string | number)[], path: string) =>
  queryOptions({ queryKey: key, queryFn: ({ signal }) => get<T>(path, signal) });

/** Null where nobody is signed in. */
export const me = queryOptions({
  queryKey: ['me'],
  queryFn: async ({ signal }) => {
    try {
      return await get<Me>(api`/me`, signal);
    } catch (error) {
      if (isStatus(error, 401)) return null;
      throw error;
    }
  },
});

export const projects = read<List<Project>>(['projects'], api`/projects`);
export const board = read<List<BoardRow>>(['board'], api`/board`);
export const queue = read<List<QueueItem>>(['queue'], api`/queue`);

export const pipelines = (project: string) =>
  read<List<Pipeline>>(['pipelines', project], api`/projects/${project}/pipelines`);
export const pipeline = (project: string, name: string) =>
  read<Pipeline>(['pipeline', project, name], api`/projects/${project}/pipelines/${name}`);
/** Polls are not told of by events: read again when the next thing is due, and now and then. */
export const watch = (project: string, name: string) =>
  queryOptions({
    queryKey: ['pipeline', project, name, 'watch'],
    queryFn: ({ signal }) => get<Watch>(api`/projects/${project}/pipelines/${name}/watch`, signal),
    refetchInterval: ({ state }) => untilDue(state.data),
  });
export const branches = (project: string, name: string) =>
  read<List<Head>>(['branches', project, name], api`/projects/${project}/pipelines/${name}/branches`);
export const revisions = (project: string, name: string, branch: string) =>
  read<List<Change>>(
    ['revisions', project, name, branch],
    withSearch(api`/projects/${project}/pipelines/${name}/revisions`, { branch, limit: 100 }),
  );
export const parameters = (project: string, name: string, branch: string, revision: string) =>
  read<List<Parameter>>(
    ['parameters', project, name, branch, revision],
    withSearch(api`/projects/${project}/pipelines/${name}/parameters`, { branch, revision }),
  );
/** `definition`: the text of a pipeline file; empty for the one at the newest revision. */
export const trial = (project: string, name: string, branch: string, definition: string) =>
  queryOptions({
    queryKey: ['trial', project, name, branch, definition],
    queryFn: () =>
      post<Trial>(api`/projects/${project}/pipelines/${name}/filters`, {
        ...(branch === '' ? {} : { branch }),
        ...(definition === '' ? {} : { definition }),
      }),
    staleTime: 0,
  });

const SOONEST = 2_000;
const LATEST = 20_000;

/** ms until something of this comes due, and a little for it to happen. */
function untilDue(watch: Watch | undefined): number {
  const due = [watch?.nextPoll, ...(watch?.quiet ?? []).map((each) => each.due), watch?.schedule?.next[0]];
  const waits = due.flatMap((at) => (at ? [Date.parse(at) - Date.now() + SOONEST] : []));
  return Math.max(SOONEST, Math.min(LATEST, ...waits));
}

export interface BuildFilter {
  branch?: string | undefined;
  result?: string | undefined;
  before?: number | undefined;
}
export const builds = (project: string, name: string, filter: BuildFilter = {}) =>
  queryOptions({
    queryKey: ['builds', project, name, filter],
    queryFn: ({ signal }) =>
      get<List<Build>>(
        withSearch(api`/projects/${project}/pipelines/${name}/builds`, { ...filter, limit: 25 }),
        signal,
      ),
    placeholderData: keepPreviousData,
  });
export const build = (project: string, name: string, number: number) =>
  read<Build>(['build', project, name, number], api`/projects/${project}/pipelines/${name}/builds/${number}`);
export const buildTests = (project: string, name: string, number: number) =>
  read<Tests>(['tests', project, name, number], api`/projects/${project}/pipelines/${name}/builds/${number}/tests`);

export const environments = (project: string) =>
  read<List<Environment>>(['environments', project], api`/projects/${project}/environments`);
export const environment = (project: string, name: string) =>
  read<Environment>(['environment', project, name], api`/projects/${project}/environments/${name}`);
export const deployments = (project: string, name: string) =>
  read<List<Deployment>>(['deployments', project, name], api`/projects/${project}/environments/${name}/deployments`);
export const deployment = (project: string, name: string, number: number) =>
  read<Deployment>(
    ['deployment', project, name, number],
    api`/projects/${project}/environments/${name}/deployments/${number}`,
  );
export const release = (project: string, stack: string, version: string) =>
  read<Release>(['release', project, stack, version], api`/projects/${project}/stacks/${stack}/releases/${version}`);
export const diff = (project: string, stack: string, version: string, environmentName: string) =>
  read<Diff>(
    ['diff', project, stack, version, environmentName],
    withSearch(api`/projects/${project}/environments/${environmentName}/diff`, { release: version, stack }),
  );
