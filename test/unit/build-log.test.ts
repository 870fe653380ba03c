import { describe, expect, it } from 'vitest';
import { BuildLog } from '../../runner/tools/build-log.ts';
import { encodeStatus } from '../../runner/tools/buildkit-status.ts';

function newLog() {
  let written = Buffer.alloc(0);
  const log = new BuildLog((lines) => {
    expect(lines.at(-1)).toBe(0x0a);
    written = Buffer.concat([written, lines]);
  });
  const trace = (status: object) => log.trace(Buffer.from(encodeStatus(status)).toString('base64'));
  return { log, trace, text: () => written.toString(), bytes: () => written };
}
const at = (seconds: number, nanos = 0) => ({ seconds, nanos });
const started = { digest: 'a', name: '[1/2] RUN make', started: at(10, 500_000_000) };
const output = (msg: string | Buffer, vertex = 'a', stream = 1) => ({
  logs: [{ vertex, stream, msg: Buffer.from(msg) }],
});

describe('the log of a build with BuildKit', () => {
  it('shows each step once, its output and how long it took', () => {
    const { trace, text } = newLog();
    trace({ vertexes: [{ digest: 'a', name: started.name }] });
    trace({ vertexes: [started] });
    trace({ vertexes: [started], ...output('one\ntwo\n') });
    trace({ vertexes: [{ ...started, completed: at(12) }] });
    trace({ vertexes: [{ ...started, completed: at(12) }] });
    expect(text()).toBe('#1 [1/2] RUN make\n#1 one\n#1 two\n#1 DONE 1.5s\n');
  });

  it('joins lines that come in pieces, apart for each step and stream', () => {
    const { trace, text } = newLog();
    trace({ vertexes: [started, { ...started, digest: 'b', name: 'other' }] });
    trace(output('he'));
    trace(output('oth', 'b'));
    trace(output('warn', 'a', 2));
    trace(output('llo\n'));
    trace(output('er\n', 'b'));
    trace(output('ing\n', 'a', 2));
    expect(text()).toBe('#1 [1/2] RUN make\n#2 other\n#1 hello\n#2 other\n#1 warning\n');
  });

  it('shows what is left of a line when the step ends, and its error last', () => {
    const { trace, text } = newLog();
    trace({ vertexes: [started] });
    trace(output('no newline'));
    trace({ vertexes: [{ ...started, completed: at(11), error: 'exit code: 2' }] });
    expect(text()).toBe('#1 [1/2] RUN make\n#1 no newline\n#1 ERROR: exit code: 2\n');
  });

  it('says what came from the cache, and which parts are done', () => {
    const { trace, text } = newLog();
    trace({ vertexes: [{ ...started, cached: true, completed: at(11) }] });
    const done = { ID: 'exporting layers', vertex: 'x', completed: at(11) };
    trace({
      vertexes: [{ digest: 'x', name: 'exporting to image', started: at(10) }],
      statuses: [{ ...done, completed: undefined }],
    });
    trace({ statuses: [done, done] });
    expect(text()).toBe('#1 [1/2] RUN make\n#1 CACHED\n#2 exporting to image\n#2 exporting layers done\n');
  });

  it('hides the sending of the context', () => {
    const { trace, text } = newLog();
    trace({
      vertexes: [{ digest: 'c', name: '[internal] load remote build context', started: at(1), completed: at(2) }],
    });
    expect(text()).toBe('');
    trace({
      vertexes: [
        { digest: 'c', name: '[internal] load remote build context', started: at(1), completed: at(2), error: 'gone' },
      ],
    });
    expect(text()).toContain('ERROR: gone');
  });

  it('keeps bytes that are no text', () => {
    const { trace, bytes } = newLog();
    trace({ vertexes: [started] });
    trace(output(Buffer.from([0xff, 0xfe, 0x0a])));
    expect(bytes().includes(Buffer.from([0xff, 0xfe, 0x0a]))).toBe(true);
  });

  it('does not keep a line without end', () => {
    const { log, trace, bytes } = newLog();
    trace({ vertexes: [started] });
    for (let sent = 0; sent < 1_000; sent++) trace(output('x'.repeat(1_000)));
    expect(bytes().length).toBeGreaterThan(900_000);
    log.end();
    expect(bytes().toString().split('x').length - 1).toBe(1_000_000);
  });
});

it('writes the output of the classic builder as it is', () => {
  const { log, text } = newLog();
  for (const part of ['Step 1/2 : FROM', ' x\n', ' ---> 1\nrest']) log.output(part);
  log.end();
  expect(text()).toBe('Step 1/2 : FROM x\n ---> 1\nrest\n');
});
