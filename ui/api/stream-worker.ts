/** One event stream for all tabs of a browser: a SharedWorker that passes on what it hears. */
import { EventStream, type Liveness } from './stream.ts';
import type { ServerEvent } from './types.ts';

export type FromWorker =
  | { type: 'event'; event: ServerEvent }
  | { type: 'reset' }
  | { type: 'liveness'; liveness: Liveness };
export type ToWorker = 'start' | 'check' | 'stop' | 'bye';

const ports = new Set<MessagePort>();
const tell = (message: FromWorker) => {
  for (const port of ports) port.postMessage(message);
};
const stream = new EventStream({
  event: (event) => tell({ type: 'event', event }),
  reset: () => tell({ type: 'reset' }),
  liveness: (liveness) => tell({ type: 'liveness', liveness }),
});

function obey(port: MessagePort, order: ToWorker): void {
  if (order === 'start') stream.start();
  if (order === 'check') stream.check();
  if (order === 'stop') stream.stop();
  if (order === 'bye') ports.delete(port);
}

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports;
  if (!port) return;
  ports.add(port);
  port.onmessage = ({ data }: MessageEvent<ToWorker>) => obey(port, data);
  port.postMessage({ type: 'liveness', liveness: stream.liveness } satisfies FromWorker);
});
