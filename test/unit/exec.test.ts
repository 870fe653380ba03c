import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ExecSpec, exec } from '../../runner/tools/exec.ts';
import { parseReference } from '../../runner/tools/registry-reference.ts';

const run = (command: string, args: string[], more: Partial<ExecSpec> = {}) =>
  exec({ command, args, timeoutMs: 10_000, signal: new AbortController().signal, ...more });
const script = (text: string, more: Partial<ExecSpec> = {}) => run('sh', ['-c', text], more);

describe('exec', () => {
  it('answers output and exit code; a failure does not throw', async () => {
    expect(await script('echo out; echo err >&2; exit 3')).toEqual({
      code: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
      timedOut: false,
    });
    expect(await script('kill -9 $$')).toMatchObject({ code: null, signal: 'SIGKILL', timedOut: false });
  });

  it('arguments reach the program as they are', async () => {
    const args = ['$(id)', 'a b', '`x`', ';', "'", '"', '*', '', '\n', 'ü'];
    const { stdout } = await run('printf', ['%s|', ...args]);
    expect(stdout).toBe(`${args.join('|')}|`);
  });

  it('the environment is clean, with an empty HOME that is gone afterwards', async () => {
    process.env.SLIPWAY_TEST_LEAK = 'leaked';
    const { stdout } = await script('env; ls -A "$HOME"', { env: { GIVEN: 'yes' } });
    delete process.env.SLIPWAY_TEST_LEAK;
    const names = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(names.filter((name) => !['_', 'PWD', 'SHLVL', 'OLDPWD'].includes(name ?? '')).sort()).toEqual([
      'GIVEN',
      'HOME',
      'LANG',
      'PATH',
    ]);
    expect(existsSync(/^HOME=(.*)$/m.exec(stdout)?.[1] ?? '/')).toBe(false);
    expect((await script('echo $HOME', { env: { HOME: '/nowhere' } })).stdout).toBe('/nowhere\n');
  });

  it('gives input, also to a program that does not read it', async () => {
    expect((await run('cat', [], { input: 'hello ü' })).stdout).toBe('hello ü');
    expect((await run('true', [], { input: 'x'.repeat(1_000_000) })).code).toBe(0);
    expect((await run('cat', [])).stdout).toBe('');
  });

  it('output is handed over in order and at the pace of who takes it', async () => {
    let busy = 0;
    let bytes = 0;
    const result = await script('head -c 1000000 /dev/zero', {
      maxCapture: 10,
      onOutput: async (chunk) => {
        expect(++busy).toBe(1);
        await new Promise(setImmediate);
        bytes += chunk.length;
        busy--;
      },
    });
    expect(bytes).toBe(1_000_000);
    expect(result.stdout).toHaveLength(10);
  });

  it('the last bytes of a stream are kept', async () => {
    const { stdout } = await script('seq 1 100000', { maxCapture: 14 });
    expect(stdout).toBe('\n99999\n100000\n');
  });

  it('a program that cannot be started is named, with what to do', async () => {
    await expect(run('no-such-program', [])).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/no-such-program.*install/),
    });
    await expect(run('true', [], { cwd: '/no/such/folder' })).rejects.toMatchObject({
      message: expect.stringContaining('/no/such/folder'),
    });
  });

  it('an error in taking the output ends the program and is thrown', async () => {
    const fail = () => {
      throw new Error('disk full');
    };
    await expect(script('echo x; sleep 100', { onOutput: fail })).rejects.toThrow('disk full');
  });

  it('nothing is started once aborted', async () => {
    await expect(run('true', [], { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
  });
});

describe('image references', () => {
  const hex = 'a'.repeat(64);
  it.each([
    ['busybox', { registry: null, repository: 'busybox', tag: null, digest: null }],
    ['busybox:1.36', { registry: null, repository: 'busybox', tag: '1.36', digest: null }],
    ['team/shop', { registry: null, repository: 'team/shop', tag: null, digest: null }],
    ['localhost/shop', { registry: 'localhost', repository: 'shop', tag: null, digest: null }],
    ['127.0.0.1:5000/a/b:v1', { registry: '127.0.0.1:5000', repository: 'a/b', tag: 'v1', digest: null }],
    ['[::1]:5000/a', { registry: '[::1]:5000', repository: 'a', tag: null, digest: null }],
    [
      `reg.example.com/a@sha256:${hex}`,
      { registry: 'reg.example.com', repository: 'a', tag: null, digest: `sha256:${hex}` },
    ],
    [
      `reg.example.com/a-b__c.d:x@sha256:${hex}`,
      { registry: 'reg.example.com', repository: 'a-b__c.d', tag: 'x', digest: `sha256:${hex}` },
    ],
  ])('%s', (text, parsed) => {
    expect(parseReference(text)).toEqual(parsed);
  });

  it.each([
    '',
    '--rm',
    '-v',
    'x;y',
    'x y',
    'X',
    'a/B',
    '../x',
    'a//b',
    '/a',
    'a/',
    'a:',
    'a:-x',
    ':tag',
    'a@',
    'a@sha256:abc',
    `a@sha256:${hex}@x`,
    'a$b',
    'a\nb',
    'a:b\n',
    'http://h/x',
    '-h.x/a',
  ])('%j is refused', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'invalid', field: 'image' }));
  });
});
