/** Answers API requests as it is told, and keeps what was asked. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Asked {
  call: string;
  body: unknown;
  headers: IncomingMessage['headers'];
}
export interface Reply {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Sends what there is, then breaks the connection. */
  broken?: boolean;
}

export interface FakeApi {
  url: string;
  asked: Asked[];
  /** Replies to `GET /projects`, say. With several, one after the other; the last one stays. */
  on(call: string, ...replies: Reply[]): void;
  close(): Promise<void>;
}

export async function startFakeApi(): Promise<FakeApi> {
  const replies = new Map<string, Reply[]>();
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const call = `${request.method} ${request.url?.replace('/api/v1', '')}`;
    const body = await text(request);
    asked.push({ call, body: body ? JSON.parse(body) : null, headers: request.headers });
    const queue = replies.get(call) ?? [];
    const reply = (queue.length > 1 ? queue.shift() : queue[0]) ?? {
      status: 404,
      body: { status: 404, title: 'Not Found', detail: `there is no ${call}` },
    };
    const plain = typeof reply.body === 'string';
    response.writeHead(reply.status ?? 200, {
      'content-type': plain ? 'text/plain' : 'application/json',
      ...reply.headers,
    });
    const content = plain ? (reply.body as string) : reply.body === undefined ? '' : JSON.stringify(reply.body);
    if (reply.broken) response.write(content, () => response.destroy());
    else response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    on: (call, ...all) => void replies.set(call, all),
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
