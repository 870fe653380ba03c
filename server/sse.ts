/** The event stream: what happened, in order, with ids from which a client goes on after a break. */
import type { Request, Response } from 'express';
import { AppError } from '../pipelines/errors.ts';
import { maySee } from './auth/access.ts';
import { type Identity, identify, sameOrigin } from './auth/identity.ts';
import type { Deps } from './route.ts';
import type { StoredEvent } from './services.ts';
import { projectById } from './store/projects.ts';

const HEARTBEAT = 15_000;
const BATCH = 500;
/** A client that is further behind reads everything anew. */
const MAX_REPLAY = 10_000;
const MAX_STREAMS = 2_000;
/** Bytes that may wait for a slow client; it comes back with the last id it saw. */
const MAX_WAITING = 1024 * 1024;

let streams = 0;

interface Streaming extends Deps {
  request: Request;
  response: Response;
  identity: Identity;
}

/**
 * Sends events after the id `after` (or the header `Last-Event-ID`), from now on where there is neither. Where they cannot be
 * replayed, an event `reset` says so. Ends with the session or token that opened it.
 */
export function streamEvents(context: Streaming, after: number | undefined): void {
  const { config, services, request, response } = context;
  if (sameOrigin(config, request) === false)
    throw new AppError('forbidden', 'event streams are for pages of this server only');
  if (streams >= MAX_STREAMS) throw new AppError('unavailable', 'there are too many event streams: try again later');
  const newest = services.events.last();
  const named = request.get('last-event-id');
  const from = named !== undefined && /^\d{1,15}$/.test(named) ? Number(named) : (after ?? newest);

  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
  response.write('retry: 3000\n\n');
  streams += 1;
  let sent = from;
  if (from > newest || newest - from > MAX_REPLAY) {
    sent = newest;
    response.write(`id: ${newest}\nevent: reset\ndata: {}\n\n`);
  }
  /** From the database, not from what was announced: so nothing is lost or doubled between replay and subscription. */
  const catchUp = () => {
    for (;;) {
      const batch = services.events.since(sent, BATCH);
      for (const event of batch) {
        sent = event.id;
        if (maySee(context.db, context.identity, event.projectId)) response.write(frame(context, event));
        if (response.writableLength > MAX_WAITING) return void response.end();
      }
      if (batch.length < BATCH) return;
    }
  };
  const unsubscribe = services.events.subscribe(catchUp);
  const heartbeat = setInterval(() => {
    if (stillValid(context)) response.write(': alive\n\n');
    else response.end();
  }, HEARTBEAT);
  response.once('close', () => {
    streams -= 1;
    unsubscribe();
    clearInterval(heartbeat);
  });
  catchUp();
}

function frame({ db }: Deps, event: StoredEvent): string {
  const project = event.projectId === null ? null : (projectById(db, event.projectId)?.slug ?? null);
  const data = { ...event.data, at: new Date(event.at).toISOString(), project };
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

function stillValid({ db, request, now, logger }: Streaming): boolean {
  try {
    return identify(db, request, now()) !== null;
  } catch (error) {
    if (!(error instanceof AppError)) logger.error({ err: error }, 'cannot look up who reads an event stream');
    return false;
  }
}
