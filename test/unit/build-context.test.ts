import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildContext, type ContextSpec, dockerignore } from '../../runner/tools/build-context.ts';

const ignored = (text: string, ...files: string[]) => files.filter((file) => dockerignore(text).ignores(file));

describe('.dockerignore, by the examples of Docker', () => {
  it.each([
    ['# comment', ['comment', '# comment'], []],
    [
      '*/temp*',
      ['somedir/temporary.txt', 'somedir/temp', 'temp', 'a/b/temp'],
      ['somedir/temporary.txt', 'somedir/temp'],
    ],
    ['*/*/temp*', ['somedir/subdir/temporary.txt', 'somedir/temp'], ['somedir/subdir/temporary.txt']],
    ['temp?', ['tempa', 'tempb', 'temp', 'x/tempa'], ['tempa', 'tempb']],
    ['**/*.go', ['main.go', 'a/b/main.go', 'main.gox', 'go'], ['main.go', 'a/b/main.go']],
    ['*.md\n!README.md', ['README.md', 'CHANGES.md', 'docs/a.md'], ['CHANGES.md']],
    ['*.md\n!README*.md\nREADME-secret.md', ['README.md', 'README-secret.md', 'a.md'], ['README-secret.md', 'a.md']],
    ['*.md\nREADME-secret.md\n!README*.md', ['README.md', 'README-secret.md', 'a.md'], ['a.md']],
    ['foo/bar', ['foo/bar', 'foo/bar/deep/file', 'bar', 'foo/barn'], ['foo/bar', 'foo/bar/deep/file']],
    ['/foo/bar', ['foo/bar', 'x/foo/bar'], ['foo/bar']],
    ['  ./build/  ', ['build/out', 'builder'], ['build/out']],
    ['a/../b', ['b', 'a'], ['b']],
    ['.', ['a'], []],
    ['\uFEFFa\r\nb\r\n', ['a', 'b', 'c'], ['a', 'b']],
    ['**', ['a', '.hidden', 'a/b'], ['a', '.hidden', 'a/b']],
    ['a/**/z', ['a/z', 'a/b/c/z', 'a/zz'], ['a/z', 'a/b/c/z']],
    ['a/**', ['a', 'a/b', 'a/b/c'], ['a/b', 'a/b/c']],
    ['[a-c]x', ['ax', 'cx', 'dx'], ['ax', 'cx']],
    ['[^a]x', ['ax', 'bx'], ['bx']],
    ['\\*.md', ['*.md', 'a.md'], ['*.md']],
    ['a.b+(c){1}$', ['a.b+(c){1}$', 'axb+(c){1}$'], ['a.b+(c){1}$']],
    ['*\n!src\nsrc/secret', ['Makefile', 'src/a', 'src/secret'], ['Makefile', 'src/secret']],
  ])('%j', (text, files, expected) => {
    expect(ignored(text, ...files)).toEqual(expected);
  });

  it('looks into an ignored folder only for what is wanted of it', () => {
    const filter = dockerignore('*\n!docs/README.md\n!src/*.c');
    expect(['docs', 'src', 'node_modules', 'docs/old'].map(filter.mayContain)).toEqual([true, true, false, false]);
    expect(dockerignore('*\n!**/*.go').mayContain('any')).toBe(true);
  });

  it('names what is no pattern', () => {
    expect(() => dockerignore('a\n[z-a]')).toThrow(/"\[z-a\]" is not a pattern/);
    expect(() => dockerignore('!')).toThrow(/excludes nothing/);
  });
});

describe('a build context', () => {
  let base: string;
  let workspace: string;
  beforeEach(() => {
    base = mkdtempSync(path.join(tmpdir(), 'slipway-context-'));
    workspace = path.join(base, 'workspace');
    mkdirSync(workspace);
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  const write = (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(workspace, name)), { recursive: true });
      writeFileSync(path.join(workspace, name), text);
    }
  };
  const read = (spec: Partial<ContextSpec> = {}) =>
    buildContext(workspace, { context: '.', dockerfile: null, inline: null, ...spec });
  const entriesOf = async (spec: Partial<ContextSpec> = {}) => {
    const entries: Record<string, tar.Header & { text: string }> = {};
    const extract = tar.extract();
    extract.on('entry', async (header, stream, next) => {
      entries[header.name.replace(/\/$/, '')] = { ...header, text: (await buffer(stream)).toString() };
      next();
    });
    await pipeline((await read(spec)).open(), extract);
    return entries;
  };

  it('keeps modes, times and links, belongs to root, and leaves pipes out', async () => {
    write({ Dockerfile: 'FROM scratch', 'bin/run.sh': 'echo', 'bin/big': 'x'.repeat(300_000), empty: '' });
    chmodSync(path.join(workspace, 'bin/run.sh'), 0o755);
    utimesSync(path.join(workspace, 'bin/run.sh'), 1_000_000, 1_000_000);
    symlinkSync('bin/run.sh', path.join(workspace, 'start'));
    symlinkSync('/etc/passwd', path.join(workspace, 'away'));
    execFileSync('mkfifo', [path.join(workspace, 'pipe')]);
    const entries = await entriesOf();
    expect(Object.keys(entries)).toEqual(['Dockerfile', 'away', 'bin', 'bin/big', 'bin/run.sh', 'empty', 'start']);
    expect(entries['bin/run.sh']).toMatchObject({
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: new Date(1_000_000_000),
      text: 'echo',
    });
    expect(entries['bin/big']?.text).toHaveLength(300_000);
    expect(entries.start).toMatchObject({ type: 'symlink', linkname: 'bin/run.sh' });
    expect(entries.away).toMatchObject({ type: 'symlink', linkname: '/etc/passwd' });
  });

  it('leaves out what .dockerignore names, but never the Dockerfile', async () => {
    write({
      'web/Dockerfile': '',
      'web/.dockerignore': '**\n!src/*.c',
      'web/src/a.c': '',
      'web/src/a.o': '',
      'web/lib/x/y': '',
    });
    expect(Object.keys(await entriesOf({ context: 'web' }))).toEqual(['Dockerfile', 'src/a.c']);
  });

  it('prefers the ignore file of the Dockerfile', async () => {
    write({ 'build/Dockerfile': '', 'build/Dockerfile.dockerignore': 'a', '.dockerignore': 'b', a: '', b: '' });
    const entries = await entriesOf({ dockerfile: 'build/Dockerfile' });
    expect(entries).toHaveProperty('b');
    expect(entries).not.toHaveProperty('a');
  });

  it('sends a Dockerfile from elsewhere in the workspace under a name of its own', async () => {
    write({ 'docker/web.Dockerfile': 'FROM a', 'web/index.html': 'x' });
    const spec = { context: 'web', dockerfile: 'docker/web.Dockerfile' };
    const { dockerfile, text } = await read(spec);
    expect(dockerfile).toMatch(/^\.dockerfile\.[0-9a-f]{20}$/);
    expect(text).toBe('FROM a');
    expect((await entriesOf(spec))[dockerfile]?.text).toBe('FROM a');
    expect((await read({ context: 'web', inline: 'FROM a' })).dockerfile).toBe(dockerfile);
  });

  it('follows a link to a Dockerfile inside of the context', async () => {
    write({ 'docker/Dockerfile': 'FROM a' });
    symlinkSync('docker/Dockerfile', path.join(workspace, 'Dockerfile'));
    expect(await read()).toMatchObject({ dockerfile: 'docker/Dockerfile', text: 'FROM a' });
  });

  it.each([
    [{ context: '..' }, /build context \.\. is outside of the workspace/],
    [{ context: '/etc' }, /build context \/etc is outside/],
    [{ context: 'link' }, /build context link is outside/],
    [{ dockerfile: '../Dockerfile' }, /Dockerfile \.\.\/Dockerfile is outside/],
    [{ dockerfile: 'linked.Dockerfile' }, /Dockerfile linked\.Dockerfile is outside/],
    [{ context: 'linked-ignore' }, /ignore file .* is outside/],
    [{ context: 'gone' }, /there is no build context gone/],
    [{ dockerfile: 'gone' }, /there is no Dockerfile gone/],
    [{ context: 'file' }, /build context file is not a folder/],
    [{ context: 'https://example.test/x.git' }, /is remote/],
  ])('refuses %j', async (spec, message) => {
    write({ Dockerfile: '', file: '', 'linked-ignore/Dockerfile': '' });
    writeFileSync(path.join(base, 'Dockerfile'), 'outside');
    symlinkSync(base, path.join(workspace, 'link'));
    symlinkSync('../Dockerfile', path.join(workspace, 'linked.Dockerfile'));
    symlinkSync('../../Dockerfile', path.join(workspace, 'linked-ignore/.dockerignore'));
    await expect(read(spec)).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(message) });
  });
});
