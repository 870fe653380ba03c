/** The event stream as a page reads it: one connection, no polling. */
import http from 'node:http';

export interface RunEvent {
  kind: 'build' | 'deployment' | 'task';
  number: number;
  event: string;
  status: string;
  result: string | null;
  reason: string | null;
}

export interface EventStream {
  /** The next event from now on for which `matches` holds. Ask before doing what will cause it. */
  next(matches: (event: RunEvent) => boolean): Promise<RunEvent>;
  close(): void;
}

export async function openEvents(url: string, token: string): Promise<EventStream> {
  const waiting = new Set<{ matches: (event: RunEvent) => boolean; resolve: (event: RunEvent) => void }>();
  const failed = new Set<(error: Error) => void>();
  const take = (frame: string) => {
    const data = /^data: (.*)$/m.exec(frame)?.[1];
    if (data === undefined || !/^event: (run|run\.created|step)$/m.test(frame)) return;
    const event = JSON.parse(data) as RunEvent;
    for (const waiter of waiting) {
      if (!waiter.matches(event)) continue;
      waiting.delete(waiter);
      waiter.resolve(event);
    }
  };
  const request = http.get(`${url}/api/v1/events`, { headers: { authorization: `Bearer ${token}` } });
  await new Promise<void>((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      if (response.statusCode !== 200) return reject(new Error(`the event stream answered ${response.statusCode}`));
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const frames = (rest + text).split('\n\n');
        rest = frames.pop() ?? '';
        frames.forEach(take);
        resolve();
      });
      response.once('close', () => {
        for (const fail of failed) fail(new Error('the event stream was closed'));
      });
      response.once('error', () => undefined); // told by `close`
    });
  });
  request.on('error', () => undefined); // told by `close`
  return {
    next: (matches) =>
      new Promise((resolve, reject) => {
        failed.add(reject);
        waiting.add({
          matches,
          resolve: (event) => {
            failed.delete(reject);
            resolve(event);
          },
        });
      }),
    close: () => {
      failed.clear();
      request.destroy();
    },
  };
}
