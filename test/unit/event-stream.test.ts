import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EngineFailure, engineEvents } from '../../runner/tools/event-stream.ts';

const IDLE = 5_000;
const body = (...chunks: (string | Buffer)[]) => Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
async function events(stream: Readable, idle = IDLE) {
  const found: unknown[] = [];
  for await (const event of engineEvents(stream, idle)) found.push(event);
  return found;
}

describe('the event stream of an engine', () => {
  it('joins what chunks have split, also within a character', async () => {
    const bytes = Buffer.from('{"stream":"größer"}\n{"aux":{"ID":"sha256:1"}}\r\n\n');
    for (let at = 0; at <= bytes.length; at++) {
      const found = await events(body(bytes.subarray(0, at), bytes.subarray(at)));
      expect(found).toEqual([{ stream: 'größer' }, { aux: { ID: 'sha256:1' } }]);
    }
  });

  it('reads a last line without an end', async () => {
    expect(await events(body('{"status":"a"}\n{"status":"b"}'))).toHaveLength(2);
  });

  it.each([
    ['{"errorDetail":{"message":"long"},"error":"short"}', 'long'],
    ['{"error":"short"}', 'short'],
    ['{"errorDetail":{"code":1}}', 'the engine gave no reason'],
  ])('fails at %s', async (line, message) => {
    const stream = body('{"status":"begun"}\n', line, '\n{"status":"more"}\n');
    await expect(events(stream)).rejects.toThrow(new EngineFailure(message));
    expect(stream.destroyed).toBe(true);
  });

  it.each(['not JSON\n', '"text"\n', 'null\n'])('refuses %j', async (line) => {
    await expect(events(body(line))).rejects.toMatchObject({ party: 'engine', fault: 'protocol' });
  });

  it('refuses a line without end', async () => {
    const endless = Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(64 * 1024, 'x')));
    await expect(events(endless)).rejects.toMatchObject({ party: 'engine', fault: 'protocol' });
  });

  it('gives up when nothing comes', async () => {
    await expect(events(new PassThrough(), 20)).rejects.toMatchObject({ party: 'engine', fault: 'timeout' });
  });

  it('says so when the connection breaks', async () => {
    const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    const broken = new Readable({ read: () => broken.destroy(reset) });
    await expect(events(broken)).rejects.toMatchObject({ party: 'engine', fault: 'unreachable' });
  });

  it('ends the stream when the reader has had enough', async () => {
    const stream = new PassThrough();
    stream.write('{"status":"a"}\n');
    for await (const _ of engineEvents(stream, IDLE)) break;
    expect(stream.destroyed).toBe(true);
  });
});
