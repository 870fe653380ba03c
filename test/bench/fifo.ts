/** A fifo that scripts write to when their first instruction runs. */
import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';

export function fifoWrites(folder: string): { fifo: string; next(): Promise<void>; close(): void } {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  // Opened for writing, too, so that it never ends; as a socket, whose waiting read can be given up.
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const written = new Socket({ fd, writable: false }).resume();
  return {
    fifo,
    next: () => new Promise<void>((resolve) => written.once('data', () => resolve())),
    close: () => written.destroy(),
  };
}
