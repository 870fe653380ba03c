import { describe, expect, it } from 'vitest';
import { GitFailure, redact, remoteError } from '../../runner/tools/git-errors.ts';
import { checkBranch, checkSourceUrl, resolveUrl, serverOf, transportOf } from '../../runner/tools/git-url.ts';

describe('repository URLs', () => {
  it.each([
    'https://git.example.com/team/shop.git',
    'http://git.example.com:8080/shop',
    'https://git.example.com/team/-/shop',
    'ssh://git@git.example.com:2222/team/shop.git',
    'ssh://git.example.com/~team/shop.git',
    'git@git.example.com:team/shop.git',
    'deploy@[::1]:shop.git',
    'git://git.example.com/shop.git',
    'https://[2001:db8::1]/shop.git',
    'https://git.example.com/a::b.git',
  ])('%s is accepted', (url) => {
    expect(() => checkSourceUrl(url, { allowFile: false })).not.toThrow();
  });

  it.each([
    '',
    '--upload-pack=touch x',
    '--upload-pack=x',
    '-u',
    'ext::sh -c id',
    'ext::sh',
    'fd::17',
    'EXT::id',
    'file:///srv/shop.git',
    'FILE:///srv/shop.git',
    '/srv/shop.git',
    './shop.git',
    '../shop.git',
    'shop.git',
    '~/shop.git',
    'C:\\shop',
    'ssh://-oProxyCommand=id/x',
    'ssh://%2doProxyCommand=id/x',
    'ssh://-oProxyCommand=id@host/x',
    'ssh://%2dx@host/x',
    'git@-oProxyCommand=id:y',
    'git@-oX:y',
    '-oX@host:y',
    'git@host:-y',
    'https://user:token@git.example.com/shop.git',
    'https://token@git.example.com/shop.git',
    'ssh://git:password@git.example.com/shop.git',
    'https://git.example.com/a\nb',
    'https://git.example.com/a\r\nb',
    'https://git.example.com/a%0d%0ab',
    'https://git.example.com/a\0b',
    'git@host:a\nb',
    'https:///shop.git',
    'https://git.example.com:99999/x',
    'https://git.example.com/%zz',
    'svn://git.example.com/shop',
    'ftp://git.example.com/shop',
    'git+ssh://git.example.com/shop',
    'javascript:alert(1)',
    'https://good.example.com\\@git.example.com/x',
  ])('%j is refused', (url) => {
    expect(() => checkSourceUrl(url, { allowFile: false })).toThrow(
      expect.objectContaining({ code: 'invalid', field: 'source.url' }),
    );
  });

  it('file:// is accepted only where it is allowed, and only with an absolute path', () => {
    expect(() => checkSourceUrl('file:///srv/shop.git', { allowFile: true })).not.toThrow();
    expect(() => checkSourceUrl('/srv/shop.git', { allowFile: true })).toThrow('write file:///srv/shop.git');
    expect(() => checkSourceUrl('/srv/shop.git', { allowFile: false })).toThrow('neither');
    for (const url of ['file://srv/shop.git', 'file:///', 'file://-x/y']) {
      expect(() => checkSourceUrl(url, { allowFile: true })).toThrow(/absolute path/);
    }
  });

  it('one of 2,000 characters or more is refused', () => {
    const url = `https://git.example.com/${'x'.repeat(2000)}`;
    expect(() => checkSourceUrl(url, { allowFile: false })).toThrow('too long');
  });

  it('a refusal never repeats the URL, which may hold a password', () => {
    expect(() => checkSourceUrl('https://user:hunter22@host/x', { allowFile: false })).toThrow(
      /^(?!.*hunter22).*credentials/,
    );
  });

  it('tells the transport', () => {
    expect(['https://h/x', 'git@h:x', 'ssh://h/x', 'file:///x'].map(transportOf)).toEqual([
      'https',
      'ssh',
      'ssh',
      'file',
    ]);
  });
});

describe('URLs of submodules', () => {
  it.each([
    ['https://h/team/app.git', '../lib.git', 'https://h/team/lib.git'],
    ['https://h/team/app/', '../../x/lib', 'https://h/x/lib'],
    ['https://h/team/app.git', './lib', 'https://h/team/app.git/lib'],
    ['https://h/app', '../../lib', null],
    ['ssh://git@h:22/team/app', '../lib', 'ssh://git@h:22/team/lib'],
    ['git@h:team/app.git', '../lib.git', 'git@h:team/lib.git'],
    ['git@h:team/app.git', '../../lib.git', 'git@h:lib.git'],
    ['git@h:/srv/app.git', '../lib.git', 'git@h:/srv/lib.git'],
    ['git@h:app.git', '../../evil', null],
    ['git@[::1]:app', '../lib', 'git@[::1]:lib'],
    ['file:///srv/app', '../lib', 'file:///srv/lib'],
    ['https://h/app', 'https://i/lib', 'https://i/lib'],
    ['https://h/app', '..', 'https://h/'],
  ])('of %s, %s is %s', (base, url, expected) => {
    expect(resolveUrl(base, url)).toBe(expected);
  });

  it('two lead to the same server, or to none that is clear', () => {
    expect(serverOf('https://Git.Example.com/x')).toEqual(serverOf('https://git.example.com:443/y'));
    expect(serverOf('git@h:x')).toEqual(serverOf('ssh://other@h:22/y'));
    for (const other of ['http://h/x', 'https://h:8443/x', 'ssh://h/x', 'https://h./x', 'file:///h/x'])
      expect(serverOf(other), other).not.toEqual(serverOf('https://h/x'));
    for (const odd of ['https://h#@i/x', 'https://h?@i/x', 'https://h%2ei/x', 'https://h,i/x', 'https://h:22:33/x'])
      expect(serverOf(odd), odd).toBeNull();
  });
});

describe('branch names', () => {
  it.each([
    'main',
    'release/1.0',
    '$(id)',
    'a;b',
    '`id`',
    'ünïcode',
    "it's",
    'a@b',
    'x|y&z',
    '(c)',
    'feature/a-b',
    '{a}',
  ])('%s is accepted', (name) => {
    expect(() => checkBranch(name)).not.toThrow();
  });

  it.each([
    '',
    '-u',
    '--exec=id',
    'a..b',
    'a b',
    'a~1',
    'a^',
    'a:b',
    'a?',
    'a*',
    'a[b',
    'a\\b',
    '/a',
    'a/',
    'a//b',
    '.a',
    'a/.b',
    'a.lock',
    'a.',
    '@',
    'HEAD',
    'a@{1}',
    'a\nb',
    'a\0',
    'a\x7f',
  ])('%j is refused', (name) => {
    expect(() => checkBranch(name)).toThrow(expect.objectContaining({ code: 'invalid', field: 'branch' }));
  });
});

it('a branch name of more than 250 characters is refused', () => {
  expect(() => checkBranch('x'.repeat(251))).toThrow('not a valid branch name');
});

describe('what git says, for users', () => {
  it.each([
    ["fatal: Authentication failed for 'https://h/x/'", 'auth'],
    ["fatal: could not read Username for 'https://h': terminal prompts disabled", 'auth'],
    ['git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.', 'auth'],
    ['Host key verification failed.\nfatal: Could not read from remote repository.', 'auth'],
    ["remote: Repository not found.\nfatal: repository 'https://h/x/' not found", 'not-found'],
    ['fatal: remote error: access denied or repository not exported: /x', 'not-found'],
    ["fatal: '/x' does not appear to be a git repository", 'not-found'],
    ["fatal: unable to access 'https://h/': Could not resolve host: h", 'unreachable'],
    ['ssh: connect to host h port 22: Connection refused', 'unreachable'],
    ['ssh: connect to host h port 22: Connection timed out', 'timeout'],
    [
      "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none CRLfile: none",
      'protocol',
    ],
    ["fatal: unable to access 'https://h/': The requested URL returned error: 503", 'refused'],
    ['something quite different', 'protocol'],
  ])('%j → %s', (stderr, fault) => {
    expect(remoteError(new GitFailure(128, stderr), 'https://h/x', true)).toMatchObject({ party: 'repository', fault });
  });

  it('whoever gave no credentials is told that some are wanted', () => {
    const refused = (stderr: string) => remoteError(new GitFailure(128, stderr), 'https://h/x', false).message;
    const wanted = 'the repository https://h/x: the server asks for credentials, and none are set';
    expect(refused("fatal: could not read Username for 'https://h': terminal prompts disabled")).toBe(wanted);
    expect(refused('git@h: Permission denied (publickey).')).toBe(wanted);
    expect(refused('Host key verification failed.')).toContain('host key');
  });

  it('secrets and user information are redacted', () => {
    expect(redact('a p@ss b p%40ss https://u:x@h/y', ['p@ss', ''])).toBe('a *** b *** https://***@h/y');
  });
});
