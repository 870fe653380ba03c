/**
 * The event streams with which an engine answers a build, a push or a pull: JSON objects, one a line. What goes wrong
 * after the first byte comes as an *event*, with HTTP status 200; so it is looked for here, in one place.
 */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { RemoteError } from '../../pipelines/errors.ts';

export interface EngineEvent {
  /** Names the kind of `aux`, e.g. `moby.buildkit.trace`; for pushes and pulls, a layer. */
  id?: string;
  /** Output of the classic builder. */
  stream?: string;
  status?: string;
  progressDetail?: { current?: number; total?: number };
  aux?: unknown;
  error?: string;
  errorDetail?: { code?: number; message?: string };
}

/** The engine reported that what it was asked for has failed. The message is the engine's own. */
export class EngineFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EngineFailure';
  }
}

/** Characters; far more than any event an engine writes. */
const LINE_LIMIT = 1024 * 1024;

/**
 * The events of `body` as they come. Throws `EngineFailure` at an error event, and `RemoteError('engine', …)` where
 * nothing came for `idle` ms, a line is not JSON or without end, or the connection broke. Destroys `body` in every case,
 * which tells the engine to stop.
 */
export async function* engineEvents(body: Readable, idle: number): AsyncGenerator<EngineEvent> {
  const silence = new RemoteError('engine', 'timeout', `the engine said nothing for ${Math.round(idle / 1000)} s`);
  const timer = setTimeout(() => body.destroy(silence), idle);
  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    for await (const chunk of body) {
      timer.refresh();
      const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') yield parse(line);
      if (rest.length > LINE_LIMIT) throw tooLong();
    }
    rest += decoder.end();
    if (rest.trim() !== '') yield parse(rest);
  } catch (error) {
    throw isConnectionError(error)
      ? new RemoteError('engine', 'unreachable', 'the connection to the engine broke', error)
      : error;
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

const tooLong = () =>
  new RemoteError('engine', 'protocol', `the engine sent a line of more than ${LINE_LIMIT} characters`);

function parse(line: string): EngineEvent {
  if (line.length > LINE_LIMIT) throw tooLong();
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw new RemoteError('engine', 'protocol', `the engine sent what is not an event: ${line.slice(0, 200)}`, error);
  }
  if (typeof event !== 'object' || event === null) {
    throw new RemoteError('engine', 'protocol', `the engine sent what is not an event: ${line.slice(0, 200)}`);
  }
  const { error, errorDetail } = event as EngineEvent;
  if (error || errorDetail) throw new EngineFailure(errorDetail?.message ?? error ?? 'the engine gave no reason');
  return event;
}

/** Node's own errors of a socket have a code (`ECONNRESET`, …); an abort is passed on as it is. */
const isConnectionError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^(E[A-Z]+|ERR_STREAM_PREMATURE_CLOSE)$/.test(String(error.code));
