import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AppError, RemoteError } from '../../pipelines/errors.ts';
import { createStepLog, type LogMasker, type StepLogOptions } from '../../runner/step-log.ts';

const MEBIBYTE = 1024 ** 2;
const noSecrets: LogMasker = { push: (bytes) => bytes, end: () => new Uint8Array() };

/** What the server does with a log, and the faults it can be told to have. */
class LogServer {
  content = Buffer.alloc(0);
  calls = 0;
  closed: { length: number; sha256: string } | null = null;
  /** Called before each append; may throw, or answer in its place. */
  fault: (call: number, offset: number, chunk: Uint8Array) => number | undefined = () => undefined;

  async log(_ref: unknown, _token: string, offset: number, chunk: Uint8Array): Promise<number> {
    this.calls += 1;
    const answer = this.fault(this.calls, offset, chunk);
    if (answer !== undefined) return answer;
    return this.append(offset, chunk);
  }

  append(offset: number, chunk: Uint8Array): number {
    if (offset > this.content.length) return this.content.length;
    this.content = Buffer.concat([this.content, chunk.subarray(this.content.length - offset)]);
    return this.content.length;
  }

  async closeLog(_ref: unknown, _token: string, length: number, sha256: string): Promise<void> {
    this.closed = { length, sha256 };
  }

  get text(): string {
    return this.content.toString();
  }
}

function openLog(server: LogServer, changes: Partial<StepLogOptions> = {}) {
  const ref = { runId: 1, step: 'unit', attempt: 1 };
  return createStepLog({
    api: server,
    ref,
    token: 't',
    masker: noSecrets,
    limit: 50 * MEBIBYTE,
    now: () => 0,
    ...changes,
  });
}

function expectClosedAsWritten(server: LogServer): void {
  const sha256 = createHash('sha256').update(server.content).digest('hex');
  expect(server.closed).toEqual({ length: server.content.length, sha256 });
}

describe('a step log', () => {
  it('arrives byte for byte, in few calls, with its length and hash', async () => {
    const server = new LogServer();
    const log = openLog(server);
    for (let line = 0; line < 1_000; line += 1) log.write(Buffer.from(`line ${line}\n`));
    await log.close();
    expect(server.text).toBe(Array.from({ length: 1_000 }, (_, line) => `line ${line}\n`).join(''));
    expect(server.calls).toBeLessThan(5);
    expectClosedAsWritten(server);
  });

  it('is closed when nothing was written', async () => {
    const server = new LogServer();
    await openLog(server).close();
    expectClosedAsWritten(server);
  });

  it('sends again what got lost on the way, and what was written but not acknowledged', async () => {
    const server = new LogServer();
    server.fault = (call, offset, chunk) => {
      if (call === 1) throw new RemoteError('engine', 'unreachable', 'request lost');
      if (call === 2) {
        server.append(offset, chunk);
        throw new Error('reply lost');
      }
      return undefined;
    };
    const log = openLog(server);
    log.write(Buffer.from('one\n'));
    log.write(Buffer.from('two\n'));
    await log.close();
    expect(server.text).toBe('one\ntwo\n');
    expectClosedAsWritten(server);
  });

  it('goes on from where the server says', async () => {
    const server = new LogServer();
    server.fault = (call, offset, chunk) => (call === 1 ? server.append(offset, chunk.subarray(0, 3)) : undefined);
    const log = openLog(server);
    log.write(Buffer.from('abcdef'));
    await log.close();
    expect(server.text).toBe('abcdef');
  });

  it('drops everything once its token is stale, and says so at close', async () => {
    const server = new LogServer();
    server.fault = () => {
      throw new AppError('conflict', 'the claim is over');
    };
    const log = openLog(server);
    log.write(Buffer.alloc(8 * MEBIBYTE));
    await log.drained();
    log.write(Buffer.alloc(8 * MEBIBYTE));
    await log.drained();
    await expect(log.close()).rejects.toThrow('the claim is over');
    expect(server.calls).toBe(1);
  });

  it('begins notices on a new line', async () => {
    const server = new LogServer();
    const log = openLog(server);
    log.notice('first');
    log.write(Buffer.from('no end'));
    log.notice('second\nthird');
    await log.close();
    expect(server.text).toBe('» first\nno end\n» second\n» third\n');
  });

  it('keeps what its limit allows, says so, and takes the rest without a word', async () => {
    const server = new LogServer();
    const log = openLog(server, { limit: MEBIBYTE });
    for (let written = 0; written < 3; written += 1) log.write(Buffer.alloc(MEBIBYTE - 1, 'x'));
    await log.close();
    expect(server.content.subarray(0, MEBIBYTE).equals(Buffer.alloc(MEBIBYTE, 'x'))).toBe(true);
    expect(server.content.subarray(MEBIBYTE).toString()).toBe('\n» log limit of 1 MiB reached: the rest is not kept\n');
    expectClosedAsWritten(server);
  });

  it('keeps a log of exactly its limit whole', async () => {
    const server = new LogServer();
    const log = openLog(server, { limit: 5 });
    log.write(Buffer.from('12345'));
    await log.close();
    expect(server.text).toBe('12345');
  });

  it('sends large writes in pieces that are taken', async () => {
    const server = new LogServer();
    let largest = 0;
    server.fault = (_call, _offset, chunk) => {
      largest = Math.max(largest, chunk.length);
      return undefined;
    };
    const log = openLog(server);
    const line = Buffer.alloc(5 * MEBIBYTE, 'y');
    log.write(line);
    await log.close();
    expect(server.content.equals(line)).toBe(true);
    expect(largest).toBeLessThanOrEqual(MEBIBYTE);
  });

  it('holds a writer back while more than 4 MiB wait, and lets it go on afterwards', async () => {
    const server = new LogServer();
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const api = {
      log: async (_ref: unknown, _token: string, offset: number, chunk: Uint8Array) => {
        await gate;
        return server.append(offset, chunk);
      },
      closeLog: server.closeLog.bind(server),
    };
    const log = openLog(server, { api });
    log.write(Buffer.alloc(MEBIBYTE));
    await log.drained();
    let drained = false;
    log.write(Buffer.alloc(6 * MEBIBYTE));
    const waiting = log.drained().then(() => {
      drained = true;
    });
    await new Promise(setImmediate);
    expect(drained).toBe(false);
    open();
    await waiting;
    await log.close();
    expect(server.content.length).toBe(7 * MEBIBYTE);
  });

  it('sends what the masker held back', async () => {
    const server = new LogServer();
    const masker: LogMasker = { push: (bytes) => bytes.subarray(0, 2), end: () => Buffer.from('tail') };
    const log = openLog(server, { masker });
    log.write(Buffer.from('abc'));
    await log.close();
    expect(server.text).toBe('abtail');
  });
});
