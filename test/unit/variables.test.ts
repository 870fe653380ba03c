// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of pipeline files
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration, parseSize } from '../../pipelines/duration.ts';
import { nearest } from '../../pipelines/nearest.ts';
import { faultOfMessagePattern, matchesAny, matchesMessage } from '../../pipelines/patterns.ts';
import { asTag, substitute, unknownVariable, VARIABLES } from '../../pipelines/variables.ts';

const fill = (text: string) => substitute(text, { number: '7', branch: 'main' }, (name) => `<${name}>`);

describe('variables', () => {
  test.each([
    ['1.${number}', '1.7'],
    ['${branch}-${number}', 'main-7'],
    ['$${number}', '${number}'],
    ['$number $', '$number $'],
    ['${nmuber}', '<nmuber>'],
    ['${toString}', '<toString>'],
    ['${', '<>'],
    ['${number', '<number>'],
  ])('%s', (text, filled) => expect(fill(text)).toBe(filled));

  test('what is filled in is not looked at again', () => {
    expect(substitute('${branch}', { branch: '${number} $&', number: '7' }, () => '')).toBe('${number} $&');
  });
  test('an unknown one is named', () => {
    expect(unknownVariable('${revison}', VARIABLES)).toMatch(/"\${revison}": did you mean "revision"/);
    expect(unknownVariable('${revision}', VARIABLES)).toBeNull();
  });
  test('any text becomes a legal tag', () => {
    expect(asTag('release/1.4')).toBe('release-1.4');
    expect(asTag('.-.')).toBe('none');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(asTag(text))),
    );
  });
});

test.each([
  ['30m', 1_800_000],
  ['1h30m', 5_400_000],
  ['90s', 90_000],
  ['1h0m1s', 3_601_000],
  ['', null],
  ['30', null],
  ['-1m', null],
  ['NaN', null],
  ['1e9s', null],
  ['1m1h', null],
  ['1.5h', null],
])('duration %j', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

test.each([
  ['512m', 536_870_912],
  ['2g', 2_147_483_648],
  ['1024', 1024],
  ['4K', 4096],
  ['1gb', 1_073_741_824],
  ['', null],
  ['-1m', null],
  ['1.5g', null],
  ['1t', null],
])('size %j', (text, bytes) => expect(parseSize(text)).toBe(bytes));

test.each([
  [['main', 'release/*'], 'main', true],
  [['main', 'release/*'], 'release/1.2', true],
  [['release/*'], 'release/1/2', false],
  [['web/**', '!docs/**'], 'web/a/.b/c', true],
  [['**', '!**/*.md'], 'a/b.md', false],
  [['**', '!docs/**', 'docs/keep'], 'docs/keep', true],
  [['!bot*'], 'alice', true],
  [['!bot*'], 'bot-7', false],
  [[], 'main', false],
  [['$(id)'], '$(id)', true],
  [['trunk', 'branches/*'], 'branches/x', true],
])('patterns %j and %s: %s', (patterns, value, matched) => expect(matchesAny(patterns, value)).toBe(matched));

test('messages', () => {
  expect(matchesMessage('!\\[skip ci\\]', 'fix [skip ci]')).toBe(false);
  expect(matchesMessage('!\\[skip ci\\]', 'fix')).toBe(true);
  expect(matchesMessage('^feat', 'feat: x')).toBe(true);
});

test('an expression that is let through is soon done', () => {
  // The worst it may be: two open ends, and a text that almost matches.
  expect(faultOfMessagePattern('a*a*b')).toBeNull();
  expect(matchesMessage('a*a*b', 'a'.repeat(100_000))).toBe(false);
});

test.each([
  ['imge', ['image', 'run', 'needs'], 'image'],
  ['rnu', ['image', 'run', 'needs'], 'run'],
  ['Image', ['image'], 'image'],
  ['zzzzzz', ['image', 'run'], null],
  ['x', [], null],
])('nearest to %s', (word, candidates, best) => expect(nearest(word, candidates)).toBe(best));
