/**
 * The event stream, kept open. Read with `fetch` and not `EventSource`: heartbeats must be seen to notice a dead line, and the
 * status must be seen to know a lost session from a lost server.
 */
import { api } from './client.ts';
import type { ServerEvent } from './types.ts';

export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'signed-out';
export interface Liveness {
  state: LiveState;
  /** When the server was last heard of, epoch ms; null before that. */
  heardAt: number | null;
}

export interface StreamListener {
  event(event: ServerEvent): void;
  /** What was missed cannot be replayed: read everything again. */
  reset(): void;
  liveness(liveness: Liveness): void;
}

/** The server says something every 15 s. */
const SILENCE = 25_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 4_000;
/** Failures in a row after which the server is said to be away. */
const PATIENCE = 4;

export class EventStream {
  readonly #listener: StreamListener;
  #abort: AbortController | null = null;
  #lastId: number | null = null;
  #failures = 0;
  #wake: (() => void) | null = null;
  #liveness: Liveness = { state: 'connecting', heardAt: null };

  constructor(listener: StreamListener) {
    this.#listener = listener;
  }

  get liveness(): Liveness {
    return this.#liveness;
  }

  start(): void {
    if (this.#abort && !this.#abort.signal.aborted) return;
    this.#abort = new AbortController();
    this.#failures = 0;
    void this.#keepOpen(this.#abort.signal);
  }

  stop(): void {
    this.#abort?.abort();
    this.#wake?.();
    this.#lastId = null;
  }

  /** Somebody looks: do not wait out a pause, nor trust a line that was silent for long. */
  check(): void {
    this.#wake?.();
  }

  async #keepOpen(signal: AbortSignal): Promise<void> {
    this.#tell(this.#liveness.heardAt === null ? 'connecting' : 'reconnecting');
    while (!signal.aborted) {
      const outcome = await this.#readOnce(signal);
      if (signal.aborted) return;
      if (outcome === 'signed-out') {
        this.stop();
        this.#tell('signed-out');
        return;
      }
      this.#failures += 1;
      this.#tell(this.#failures > PATIENCE || !navigator.onLine ? 'offline' : 'reconnecting');
      await this.#pause();
    }
  }

  /** Reads until the line breaks. */
  async #readOnce(stopped: AbortSignal): Promise<'broken' | 'signed-out'> {
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), SILENCE);
    try {
      const response = await fetch(api`/events`, {
        headers: this.#lastId === null ? {} : { 'Last-Event-ID': String(this.#lastId) },
        cache: 'no-store',
        signal: AbortSignal.any([stopped, silent.signal]),
      });
      if (response.status === 401) return 'signed-out';
      if (!response.ok || !response.body) return 'broken';
      this.#failures = 0;
      const frames = new Frames();
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE);
        this.#tell('live');
        for (const frame of frames.push(text)) this.#hear(frame);
      }
      return 'broken';
    } catch {
      // Whatever broke the line (server gone, silence, sleep): the remedy is the same, and the state says it.
      return 'broken';
    } finally {
      clearTimeout(timer);
    }
  }

  #hear({ id, type, data }: Frame): void {
    if (id !== null) this.#lastId = id;
    if (type === 'reset') this.#listener.reset();
    else if (id !== null && data !== '') this.#listener.event({ id, type, data: JSON.parse(data) });
  }

  #tell(state: LiveState): void {
    this.#liveness = { state, heardAt: state === 'live' ? Date.now() : this.#liveness.heardAt };
    this.#listener.liveness(this.#liveness);
  }

  /** Doubles with each failure; jitter keeps a hundred browsers from coming back at once. */
  async #pause(): Promise<void> {
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (this.#failures - 1));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, longest * (0.5 + Math.random() / 2));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}

interface Frame {
  id: number | null;
  type: string;
  data: string;
}

/** Cuts the text of a stream into its messages; https://html.spec.whatwg.org/multipage/server-sent-events.html. */
export class Frames {
  #rest = '';

  push(text: string): Frame[] {
    const parts = (this.#rest + text).split('\n\n');
    this.#rest = parts.pop() ?? '';
    return parts.map(parseFrame).filter((frame) => frame !== null);
  }
}

function parseFrame(text: string): Frame | null {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  const id = fields.get('id');
  if (id === undefined) return null;
  return { id: Number(id), type: fields.get('event') ?? 'message', data: fields.get('data') ?? '' };
}
