import { describe, expect, it } from 'vitest';
import { parseExternals } from '../../runner/tools/svn-externals.ts';

const base = { folder: 'https://svn.example/repos/shop/trunk/app', root: 'https://svn.example/repos/shop' };
const one = (line: string) => parseExternals(line, base)[0];

describe('svn:externals', () => {
  it.each([
    ['^/lib lib', 'lib', 'https://svn.example/repos/shop/lib', null, null],
    ['^/lib@7 lib', 'lib', 'https://svn.example/repos/shop/lib', '7', null],
    ['-r 5 ^/lib@7 lib', 'lib', 'https://svn.example/repos/shop/lib', '7', '5'],
    ['-r5 ^/lib lib', 'lib', 'https://svn.example/repos/shop/lib', null, '5'],
    ['-rHEAD ^/lib lib', 'lib', 'https://svn.example/repos/shop/lib', null, null],
    ['lib -r5 svn://other/lib', 'lib', 'svn://other/lib', '5', '5'],
    ['lib -r 5 svn://other/lib', 'lib', 'svn://other/lib', '5', '5'],
    ['lib svn://other/lib@9', 'lib', 'svn://other/lib@9', null, null],
    ['svn+ssh://me@other/lib lib', 'lib', 'svn+ssh://me@other/lib', null, null],
    ['../lib lib', 'lib', 'https://svn.example/repos/shop/trunk/lib', null, null],
    ['../../../x/./lib lib', 'lib', 'https://svn.example/repos/x/lib', null, null],
    ['^/../other/lib lib', 'lib', 'https://svn.example/repos/other/lib', null, null],
    ['/repos/other lib', 'lib', 'https://svn.example/repos/other', null, null],
    ['//cdn.example/lib lib', 'lib', 'https://cdn.example/lib', null, null],
    ['"^/my lib" "third party/my lib"', 'third party/my lib', 'https://svn.example/repos/shop/my%20lib', null, null],
    ["'^/my%20lib' third\\ party", 'third party', 'https://svn.example/repos/shop/my%20lib', null, null],
    ['^/lïb@ ./a//b/', 'a/b', 'https://svn.example/repos/shop/l%C3%AFb', null, null],
    ['^/a@b/lib lib', 'lib', 'https://svn.example/repos/shop/a@b/lib', null, null],
  ])('%j', (line, path, url, peg, revision) => {
    expect(one(line)).toEqual({ path, url, peg, revision });
  });

  it('has a definition a line, and comments', () => {
    expect(parseExternals('\r\n# no\n  ^/a a\r\n\n^/b b\n', base).map(({ path }) => path)).toEqual(['a', 'b']);
  });

  it.each([
    '^/lib',
    '^/lib lib more',
    '^/lib ../lib',
    '^/lib a/../../lib',
    '^/lib /lib',
    '^/lib .',
    '^/lib .svn/x',
    '^/lib a/.SVN',
    '^/lib ""',
    '-r {2020-01-01} ^/lib lib',
    '-r -1 ^/lib lib',
    '^/lib@{2020-01-01} lib',
    '../../../../../lib lib',
    '^/../../../lib lib',
  ])('%j is refused', (line) => {
    expect(() => parseExternals(line, base)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
