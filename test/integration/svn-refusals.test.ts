import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SourceCredentials } from '../../pipelines/model.ts';
import { findByCookie } from '../../runner/tools/processes.ts';
import { scmFor } from '../../runner/tools/scm.ts';
import { freePort, serveSilence, serveSsh } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import {
  accessTo,
  begin,
  DEV,
  failureOf,
  headsOf,
  instance,
  on,
  repo,
  root,
  scm,
  signal,
  started,
  workspace,
} from '../fixtures/svn-bench.ts';
import { serveDav, serveSvn, serveSvnSsh } from '../fixtures/svn-server.ts';

needs(
  'svn',
  'apache-svn',
  'sshd',
)('svn: a server that says no or nothing', () => {
  begin();

  it('wrong password → auth, and the password is nowhere in the error', async () => {
    const wrong = { username: 'dev', password: 'guessed-wr0ng' };
    for (const server of [await started(serveSvn(root, DEV)), await started(serveDav(root, DEV))]) {
      const url = server.urlOf(repo);
      for (const ask of [
        () => headsOf(['*'], accessTo(url, wrong)),
        () => scm.checkout(accessTo(url, wrong), on('2'), workspace(url.slice(0, 4)), signal),
      ]) {
        const failure = await failureOf(ask());
        expect(failure.fault, failure.text).toBe('auth');
        expect(failure.text).not.toContain('guessed-wr0ng');
      }
      expect((await failureOf(scm.pulse(accessTo(url), signal))).fault).toBe('auth');
    }
  });

  it('no such repository or project → not-found, over every transport', async () => {
    const missing = { ...repo, dir: join(root, 'missing') };
    const servers = [await started(serveSvn(root, DEV)), await started(serveDav(root, DEV))];
    const urls = servers.flatMap((server) => [server.urlOf(missing), `${server.urlOf(repo)}/no/project`]);
    const dav = servers[1]?.urlOf(repo).replace('/svn/', '/elsewhere/') ?? '';
    for (const url of [...urls, dav, `file://${missing.dir}`]) {
      for (const ask of [
        () => headsOf(['trunk'], accessTo(url, DEV)),
        () => headsOf(['*'], accessTo(url, DEV)),
        () => scm.pulse(accessTo(url, DEV), signal),
      ]) {
        expect((await failureOf(ask())).fault, url).toBe('not-found');
      }
    }
  });

  it('nobody listens, or there is no such host → unreachable', async () => {
    const port = await freePort();
    const hosts = [`127.0.0.1:${port}`, 'no-such-host.invalid'];
    for (const host of hosts) {
      for (const scheme of ['http', 'svn']) {
        const url = `${scheme}://${host}/x`;
        expect((await failureOf(scm.pulse(accessTo(url), signal))).fault, url).toBe('unreachable');
      }
    }
    expect((await failureOf(scm.pulse(accessTo(`svn+ssh://x@127.0.0.1:${port}/x`), signal))).fault).toBe('unreachable');
  });

  it('silence → timeout, and no process is left', async () => {
    const silence = await started(serveSilence());
    const mine = randomUUID();
    const impatient = scmFor('svn', { allowFile: false, caFile: null, timeoutMs: 1_000, instance: mine });
    for (const scheme of ['http', 'svn', 'svn+ssh']) {
      const source = accessTo(`${scheme}://127.0.0.1:${silence.port}/x`);
      const began = performance.now();
      expect((await failureOf(impatient.pulse(source, signal))).fault, scheme).toBe('timeout');
      const failed = await failureOf(impatient.checkout(source, on('1'), workspace(`silent-${scheme}`), signal));
      expect(failed.fault, failed.text).toBe('timeout');
      expect(performance.now() - began).toBeLessThan(20_000);
    }
    expect(findByCookie(mine)).toEqual([]);
  });

  it('an abort ends it at once, with the reason given', async () => {
    const silence = await started(serveSilence());
    const stop = new AbortController();
    const asking = scm.heads(accessTo(`svn://127.0.0.1:${silence.port}/x`), stop.signal);
    while (findByCookie(instance).length === 0) await new Promise(setImmediate);
    stop.abort(new Error('cancelled by a test'));
    await expect(asking).rejects.toThrow('cancelled by a test');
    expect(findByCookie(instance)).toEqual([]);
  });

  it('a redirection to another host is not followed', async () => {
    const server = await started(serveDav(root, DEV));
    const name = repo.dir.split('/').pop();
    const at = (path: string) => accessTo(`http://127.0.0.1:${server.port}/${path}/${name}`, DEV);
    expect(await scm.pulse(at('moved'), signal)).toMatchObject({ mark: '2' });
    const failure = await failureOf(scm.pulse(at('away'), signal));
    expect(failure).toMatchObject({ fault: 'protocol', text: expect.stringContaining('redirects') });
  });

  it('credentials never appear in the arguments of a process', async () => {
    const silence = await started(serveSilence());
    for (const scheme of ['http', 'svn']) {
      const stop = new AbortController();
      const source = accessTo(`${scheme}://127.0.0.1:${silence.port}/x`, DEV);
      const asking = scm.pulse(source, stop.signal).catch(() => undefined);
      let line = '';
      while (!line.includes('password-from-stdin')) {
        await new Promise(setImmediate);
        for (const pid of findByCookie(instance)) line += readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      }
      stop.abort(new Error('seen enough'));
      await asking;
      expect(line).not.toContain('battery');
    }
  });

  it('says which credentials fit which URL', async () => {
    for (const [url, credentials] of [
      ['svn+ssh://svn@localhost/x', DEV],
      ['https://localhost/x', { token: 'x' }],
      ['svn://localhost/x', { sshKey: 'x' }],
      ['svn://localhost/x', { username: 'a\nb', password: 'x' }],
    ] as const) {
      await expect(scm.pulse(accessTo(url, credentials), signal)).rejects.toMatchObject({
        field: 'source.credentials',
      });
    }
  });

  it('another key, another host key, or no key at all → auth', async () => {
    const [server, other] = await Promise.all([started(serveSvnSsh()), started(serveSsh())]);
    const wrong: (SourceCredentials | null)[] = [
      { sshKey: other.privateKey, knownHosts: server.knownHosts },
      { sshKey: server.privateKey, knownHosts: other.knownHosts },
      { sshKey: 'not a key', knownHosts: server.knownHosts },
      null,
    ];
    for (const credentials of wrong) {
      const failure = await failureOf(scm.pulse(accessTo(server.urlOf(repo), credentials), signal));
      expect(failure.fault, failure.text).toBe('auth');
      expect(failure.text).not.toContain('PRIVATE KEY');
    }
    expect((await scm.pulse(accessTo(server.urlOf(repo), { sshKey: server.privateKey }), signal)).mark).toBe('2');
    expect(existsSync(join(root, 'cache', 'known_hosts'))).toBe(true);
  });
});

describe('svn: URLs', () => {
  it.each([
    '',
    '/srv/svn/shop',
    'file:///srv/svn/shop',
    'svn+x://host/shop',
    'ssh://host/shop',
    '--config-option=config:tunnels:x=id',
    'svn+ssh://-oProxyCommand=id/x',
    'svn+ssh://%2doProxyCommand=id/x',
    'svn+ssh://-x@host/x',
    'https://user:token@host/x',
    'https://user@host/x',
    'svn://host/a b',
    'svn://host/a\nb',
    'svn://host/a%00b',
    'svn://host/a/../b',
    'svn://host/a/%2e%2e/b',
    'svn:///x',
    'https://host/x?y#z',
    'https://host\\@other/x',
    'https://host/%zz',
  ])('%j is refused before svn starts', async (url) => {
    const strict = scmFor('svn', { allowFile: false, caFile: null, timeoutMs: 1_000 });
    await expect(strict.pulse({ ...accessTo(url), cache: '/nonexistent' }, signal)).rejects.toMatchObject({
      code: 'invalid',
      field: 'source.url',
    });
  });
});
