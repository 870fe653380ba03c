/** The hooks that we print, run by the real Git, Subversion and shells. */
import { execFile, execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, createServer as createSink, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readBody } from '../../server/hooks/body.ts';
import { type HookEvent, type HookKind, readHook } from '../../server/hooks/read.ts';
import { hookScript } from '../../server/hooks/scripts.ts';
import { needs } from '../fixtures/real.ts';

const SECRET = String.raw`it's 66 "\ $(id) %s ü`;
const run = promisify(execFile);

interface Arrived {
  path: string;
  headers: IncomingHttpHeaders;
  raw: Buffer;
}

let folder: string;
let server: Server;
let url: string;
let arrived: Arrived[];
let arrivals: ((hook: Arrived) => void)[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'slipway-hooks-'));
  server = createServer(async (request, response) => {
    const hook = { path: request.url ?? '', headers: request.headers, raw: await readBody(request) };
    response.end();
    const waiting = arrivals.shift();
    if (waiting) waiting(hook);
    else arrived.push(hook);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  arrived = [];
  arrivals = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const nextHook = async (): Promise<Arrived> => arrived.shift() ?? new Promise((resolve) => arrivals.push(resolve));
const event = (kind: HookKind, { headers, raw }: Arrived): HookEvent =>
  readHook(kind, headers, raw, SECRET, Date.now());

function install(hooks: string, kind: 'git' | 'svn', to = url, secret: string | null = SECRET): string {
  mkdirSync(hooks, { recursive: true });
  const { file, text } = hookScript({ url: to, project: 'shop', pipeline: 'api', kind, windows: false });
  const hook = path.join(hooks, file);
  writeFileSync(hook, text, { mode: 0o755 });
  if (secret !== null) writeFileSync(path.join(hooks, 'slipway-secret'), `${secret}\n`, { mode: 0o600 });
  return hook;
}

/** Takes connections and never answers; tells whether a client has given up, as `curl` does after its ten seconds. */
async function silentServer(): Promise<{ url: string; givenUp: () => boolean; close: () => void }> {
  const open = new Set<Socket>();
  let ended = false;
  const sink = createSink((socket) => {
    open.add(socket.on('error', () => {}));
    socket.resume().on('close', () => {
      ended = true;
    });
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  return {
    url: `http://127.0.0.1:${(sink.address() as AddressInfo).port}`,
    givenUp: () => ended,
    close: () => {
      for (const socket of open) socket.destroy();
      sink.close();
    },
  };
}

// ---- Git -------------------------------------------------------------------------------------------------------------

const gitEnv = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  NO_PROXY: '127.0.0.1',
  ...Object.fromEntries(
    ['AUTHOR', 'COMMITTER'].flatMap((who) => [
      [`GIT_${who}_NAME`, 'Rita'],
      [`GIT_${who}_EMAIL`, 'rita@example.com'],
    ]),
  ),
};
const git = async (cwd: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run('git', args, { cwd, env: gitEnv });

/** A bare repository with the hook, and a clone with one commit that is not pushed. */
async function defineRepo(name: string, to = url, secret: string | null = SECRET) {
  const bare = path.join(folder, `${name}.git`);
  const clone = path.join(folder, name);
  await git(folder, 'init', '-q', '--bare', bare);
  await git(folder, 'init', '-q', '-b', 'main', clone);
  await git(clone, 'commit', '-q', '--allow-empty', '-m', 'one');
  await git(clone, 'remote', 'add', 'origin', bare);
  install(path.join(bare, 'hooks'), 'git', to, secret);
  const head = (await git(clone, 'rev-parse', 'HEAD')).stdout.trim();
  return { bare, clone, head, push: (...refs: string[]) => git(clone, 'push', '-q', 'origin', ...refs) };
}

needs('git')('post-receive', () => {
  it('tells of a new branch, of a tag and of what is deleted', async () => {
    const { bare, head, push } = await defineRepo('shop');
    await push('main');
    const first = await nextHook();
    expect(first.path).toBe('/hooks/github/shop/api');
    expect(event('github', first)).toEqual({
      delivery: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
      event: 'push',
      kind: 'push',
      refs: [{ kind: 'pushed', ref: 'refs/heads/main', before: null, after: head }],
      repositories: [bare],
    });

    await push('main:refs/tags/v1', 'main:refs/heads/next');
    const both = [event('github', await nextHook()), event('github', await nextHook())];
    const names = both.flatMap(({ refs }) => refs.map((ref) => ('ref' in ref ? ref.ref : '')));
    expect(names.sort()).toEqual(['refs/heads/next', 'refs/tags/v1']);
    expect(both[0]?.delivery).not.toBe(both[1]?.delivery);

    await push(':next');
    const deleted = await nextHook();
    expect(JSON.parse(deleted.raw.toString())).toMatchObject({ deleted: true, before: head });
    expect(event('github', deleted)).toMatchObject({
      kind: 'delete',
      refs: [{ ref: 'refs/heads/next', before: head }],
    });
  });

  it('tells nothing of notes', async () => {
    const { push } = await defineRepo('notes');
    await push('main:refs/notes/x', 'main:refs/heads/last');
    expect(event('github', await nextHook()).refs).toMatchObject([{ ref: 'refs/heads/last' }]);
    expect(arrived).toEqual([]);
  });

  it('takes odd names of branches and folders for names', async () => {
    const { bare, push } = await defineRepo('it\'s "odd" $(touch oops) \\n é');
    const names = ["a'b$(id)", '`id`;$HOME', '"a"&|<>', 'ü', '%s%n', '-n'].map((name) => `refs/heads/${name}`);
    await push(...names.map((name) => `main:${name}`));
    const told: HookEvent[] = [];
    for (const _ of names) told.push(event('github', await nextHook()));
    expect(told.flatMap(({ refs }) => refs.map((ref) => ('ref' in ref ? ref.ref : ''))).sort()).toEqual(names.sort());
    // With a space it is no address, and so not shown; the hook counts all the same.
    expect(told.flatMap(({ repositories }) => repositories)).toEqual([]);
    expect(existsSync(path.join(bare, 'oops'))).toBe(false);
  });

  it('lets nobody wait for a server that does not answer', async () => {
    const silent = await silentServer();
    const { push } = await defineRepo('silent', silent.url);
    await push('main');
    expect(silent.givenUp()).toBe(false);
    silent.close();
  });

  it('does not mind a server that is away', async () => {
    const { push } = await defineRepo('away', 'http://127.0.0.1:1');
    expect((await push('main')).stderr).toBe('');
  });

  it.each<[string, string | null, number, string]>([
    ['without a secret', null, 0o600, 'cannot read'],
    ['with an empty secret', '', 0o600, 'is empty'],
    ['with a secret for all to read', SECRET, 0o644, 'can be read by everybody'],
  ])('says so to who pushes, and sends nothing, %s', async (name, secret, mode, message) => {
    const { bare, push } = await defineRepo(name, url, secret);
    if (secret !== null) chmodSync(path.join(bare, 'hooks/slipway-secret'), mode);
    expect((await push('main')).stderr).toContain(message);
    expect(arrived).toEqual([]);
  });

  it('leaves nothing behind', async () => {
    const before = readdirSync(os.tmpdir()).filter((name) => /^tmp\./.test(name));
    const { push } = await defineRepo('tidy');
    await push('main');
    await nextHook();
    const left = () => readdirSync(os.tmpdir()).filter((name) => /^tmp\./.test(name) && !before.includes(name));
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  });
});

// ---- Subversion --------------------------------------------------------------------------------------------------------

needs('svn')('post-commit', () => {
  const commit = (repository: string, name: string): Promise<unknown> =>
    run('svn', ['mkdir', '-q', '--non-interactive', '-m', 'one', `file://${repository}/${name}`]);

  it('tells of each commit', async () => {
    const repository = path.join(folder, 'svn');
    execFileSync('svnadmin', ['create', repository]);
    install(path.join(repository, 'hooks'), 'svn');
    await commit(repository, 'trunk');
    await commit(repository, "a'b$(id)");
    for (const revision of [1, 2]) {
      const hook = await nextHook();
      expect(hook.path).toBe('/hooks/svn/shop/api');
      expect(event('svn', hook)).toMatchObject({
        kind: 'push',
        refs: [{ kind: 'revision', revision }],
        repositories: [repository],
      });
    }
  });

  it('lets nobody wait for a server that does not answer', async () => {
    const silent = await silentServer();
    const repository = path.join(folder, 'svn-silent');
    execFileSync('svnadmin', ['create', repository]);
    install(path.join(repository, 'hooks'), 'svn', silent.url);
    await commit(repository, 'trunk');
    expect(silent.givenUp()).toBe(false);
    silent.close();
  });
});

// ---- shells ------------------------------------------------------------------------------------------------------------

const shells: [name: string, ...command: string[]][] = [
  ['sh', 'sh'],
  ['bash', 'bash', '--posix'],
  ['busybox', 'busybox', 'sh'],
];

const which = (program: string): string =>
  execFileSync('sh', ['-c', 'command -v "$1" || :', 'sh', program]).toString().trim();

describe.each(shells)('the hook under %s', (name, program, ...args) => {
  const where = which(program as string);
  const missing = where === '' || which('curl') === '';

  it.skipIf(missing)('signs as RFC 2104 has it, whatever the secret', { timeout: 60_000 }, async () => {
    // What becomes NUL, the length of a block, more than that, and all that can be typed.
    const typed = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('');
    const secrets = ['666\\\\\\%%%', 'x'.repeat(64), 'ü'.repeat(33), typed, randomBytes(24).toString('base64')];
    for (const secret of secrets) {
      const hooks = path.join(folder, `${name}-${randomBytes(4).toString('hex')}`);
      const hook = install(hooks, 'svn', url, secret);
      // As Subversion does, without any environment.
      await run(where, [...args, hook, '/srv/svn', '7'], { env: {} });
      const { headers, raw } = await nextHook();
      expect(headers['x-slipway-signature'], secret).toBe(
        `sha256=${createHmac('sha256', secret).update(raw).digest('hex')}`,
      );
    }
  });

  it.skipIf(missing)('never shows the secret among the arguments of a program', async () => {
    const hooks = path.join(folder, `${name}-argv`);
    const secret = 'abcdefghijklmnop';
    const hook = install(hooks, 'svn', url, secret);
    const trace = path.join(hooks, 'trace');
    const bin = path.join(hooks, 'bin');
    mkdirSync(bin);
    // Programs that write down what they were called with, before they do their work.
    for (const tool of ['curl', 'sed', 'od', 'tr', 'cut', 'cat', 'sha256sum', 'ls', 'mktemp', 'rm', 'dirname']) {
      const real = which(tool);
      writeFileSync(path.join(bin, tool), `#!/bin/sh\necho "${tool} $*" >>'${trace}'\nexec ${real} "$@"\n`, {
        mode: 0o755,
      });
    }
    const traced = execFileSync('sed', [`s|^PATH=|PATH=${bin}:|`, hook]);
    writeFileSync(hook, traced);
    await run(where, [...args, hook, '/srv/svn', '7']);
    await nextHook();
    const calls = execFileSync('cat', [trace]).toString();
    expect(calls).toContain('curl --silent');
    expect(calls).not.toContain(secret);
    expect(calls).not.toContain(Buffer.from(secret).toString('hex'));
    expect(calls).not.toContain([...Buffer.from(secret)].join(' '));
  });
});

// ---- what is printed ---------------------------------------------------------------------------------------------------

describe('a script', () => {
  const script = (server: string, kind: 'git' | 'svn' = 'git', windows = false, project = 'shop') =>
    hookScript({ url: server, project, pipeline: 'api', kind, windows });

  it('goes to the server below its path', () => {
    expect(script('https://ci.example.com/slipway/').text).toContain(
      "url='https://ci.example.com/slipway/hooks/github/shop/api'",
    );
    expect(script('http://[::1]:8080', 'svn').text).toContain("url='http://[::1]:8080/hooks/svn/shop/api'");
  });

  it.each(['', 'ci.example.com', 'ftp://x', 'file:///x', 'https://u:p@x', 'https://x?a', 'https://x#a'])(
    'refuses %j',
    (server) => {
      expect(() => script(server)).toThrow(expect.objectContaining({ code: 'invalid', field: 'url' }));
    },
  );

  it('has no room for code in the address', () => {
    const odd = `x'; id; '"$(id)\`id\`\n%PATH%`;
    for (const { text } of [script(`http://x/${odd}`, 'git', false, odd), script('http://x', 'svn', true, odd)]) {
      const [, quoted] = /(?:url=|Create\()'(.*?)'/.exec(text) ?? [];
      expect(quoted).not.toMatch(/['"`\s]/);
      expect(quoted).toMatch(/%27(?:;|%3B)%20id/);
    }
  });

  it('for Windows is one .bat, and of SVN', () => {
    const { file, text } = script('https://ci.example.com', 'svn', true);
    expect(file).toBe('post-commit.bat');
    expect(text.split('\r\n').length).toBe(text.split('\n').length);
    // Of ASCII, since each code page reads that alike; and the marker is there once.
    expect(text).toMatch(/^[\x20-\x7e\r\n]*$/);
    expect(text.split('#PowerShell').length).toBe(2);
    expect(() => script('https://ci.example.com', 'git', true)).toThrow(/--windows/);
  });
});

describe('slipway hook install', () => {
  const root = path.resolve(import.meta.dirname, '../..');
  const slipway = (...args: string[]) =>
    run(process.execPath, ['--import', 'tsx', path.join(root, 'server/cli/main.ts'), 'hook', 'install', ...args], {
      cwd: root,
    });

  it('prints the script', async () => {
    const options = ['-p', 'shop', '-w', 'api', '--url', 'https://ci.example.com'];
    const expected = { url: 'https://ci.example.com', project: 'shop', pipeline: 'api', windows: false } as const;
    const [gitHook, svnHook] = await Promise.all([slipway(...options), slipway(...options, '--kind', 'svn', '--json')]);
    expect(gitHook.stdout).toBe(hookScript({ ...expected, kind: 'git' }).text);
    expect(JSON.parse(svnHook.stdout)).toEqual(hookScript({ ...expected, kind: 'svn' }));
    await Promise.all(
      [['--kind', 'cvs'], ['--windows'], ['--url', 'ftp://x']].map((wrong) =>
        expect(slipway(...options, ...wrong)).rejects.toMatchObject({ code: 2 }),
      ),
    );
  });
});
