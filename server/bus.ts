/** Tells this process what was committed. A listener that throws is a bug of that listener, never of the writer. */
import { EventEmitter } from 'node:events';
import type { StoredEvent } from './store/events.ts';

export class Bus {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  publish(event: StoredEvent): void {
    this.#emitter.emit('event', event);
  }

  /** Answers how to unsubscribe. */
  subscribe(listener: (event: StoredEvent) => void): () => void {
    this.#emitter.on('event', listener);
    return () => this.#emitter.off('event', listener);
  }
}
