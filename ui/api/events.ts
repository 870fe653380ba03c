/** The event stream as a page uses it: what happened makes the queries about it read again, and listeners hear of it. */
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { EventStream, type Liveness, type StreamListener } from './stream.ts';
import type { FromWorker, ToWorker } from './stream-worker.ts';
import type { ServerEvent } from './types.ts';

type Order = Exclude<ToWorker, 'bye'>;

const listeners = new Set<(event: ServerEvent) => void>();
const watchers = new Set<() => void>();
let liveness: Liveness = { state: 'connecting', heardAt: null };
let order: (what: Order) => void = () => {};

/** Calls back for every event of the server; answers how to stop that. */
export function onServerEvent(listener: (event: ServerEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useLiveness = (): Liveness =>
  useSyncExternalStore(
    (changed) => {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    () => liveness,
  );

export const startEvents = (): void => order('start');
export const stopEvents = (): void => order('stop');

/** Wires the stream to the queries; once a page. */
export function connectEvents(client: QueryClient): void {
  const stale = new Stale(client);
  let heard = false;
  order = openStream({
    event(event) {
      stale.add(event);
      for (const listener of listeners) listener(event);
    },
    reset: () => void client.invalidateQueries(),
    liveness(next) {
      liveness = next;
      for (const changed of watchers) changed();
      // What was read before the stream stood may be out of date; after that, breaks are replayed.
      if (next.state === 'live' && !heard) {
        heard = true;
        void client.invalidateQueries();
      }
      if (next.state === 'signed-out') void client.invalidateQueries({ queryKey: ['me'] });
    },
  });
  const looked = () => {
    if (document.visibilityState === 'visible') order('check');
  };
  document.addEventListener('visibilitychange', looked);
  addEventListener('online', looked);
}

function openStream(listener: StreamListener): (what: Order) => void {
  if (!('SharedWorker' in globalThis)) {
    const stream = new EventStream(listener);
    return (what) => stream[what]();
  }
  const { port } = new SharedWorker(new URL('./stream-worker.ts', import.meta.url), { type: 'module', name: 'events' });
  port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'event') listener.event(data.event);
    else if (data.type === 'reset') listener.reset();
    else listener.liveness(data.liveness);
  };
  const send = (what: ToWorker) => port.postMessage(what);
  addEventListener('pagehide', (event) => {
    // A page that is kept for "back" goes on listening.
    if (!event.persisted) send('bye');
  });
  return send;
}

const BATCH = 100;

/** Query keys are `[topic, project, …, number?]`; see queries.ts. */
const LISTS = {
  build: ['queue', 'pipelines', 'pipeline', 'builds'],
  deployment: ['queue', 'board', 'environments', 'environment', 'deployments', 'diff'],
  task: ['queue', 'environments', 'environment'],
} as const;

/** Gathers what a burst of events makes out of date, and has it read again once. */
class Stale {
  readonly #client: QueryClient;
  #events: ServerEvent[] = [];

  constructor(client: QueryClient) {
    this.#client = client;
  }

  add(event: ServerEvent): void {
    this.#events.push(event);
    if (this.#events.length === 1) setTimeout(() => this.#flush(), BATCH);
  }

  #flush(): void {
    const events = this.#events;
    this.#events = [];
    void this.#client.invalidateQueries({
      predicate: ({ queryKey }) => events.some((event) => concerns(event, queryKey)),
    });
  }
}

function concerns({ type, data }: ServerEvent, [topic, project, ...rest]: readonly unknown[]): boolean {
  if (project !== undefined && project !== data.project) return false;
  if (data.kind === undefined) return topic === 'board' || topic === 'environment';
  if (topic === data.kind) return rest.includes(data.number);
  if (topic === 'tests' || topic === 'artifacts') return data.event === 'step.finished' && rest.includes(data.number);
  // Lists show a run, not its steps; but the last step ends the run.
  if (type === 'step' && data.was === data.status) return false;
  if (data.kind === 'build' && data.status === 'finished' && (topic === 'board' || topic === 'releases')) return true;
  return LISTS[data.kind].some((list) => list === topic);
}
