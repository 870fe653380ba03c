import { describe, expect, test } from 'vitest';
import { readYaml, YamlError } from '../../pipelines/yaml.ts';

const read = (text: string) => readYaml(text).value;

function fault(text: string, options = {}): YamlError {
  try {
    readYaml(text, options);
  } catch (error) {
    if (error instanceof YamlError) return error;
    throw error;
  }
  throw new Error('it was read');
}

/** `a: &a …`, and each next line refers to the one above many times. */
const bomb = (first: string, next: (above: string) => string) =>
  ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    .map((name, index, all) => `${name}: &${name} ${index === 0 ? first : next(`*${all[index - 1]}`)}`)
    .join('\n');

describe('what is read', () => {
  test.each([
    ['', null],
    ['\ufeffa: 1', { a: 1 }],
    ['on: yes', { on: 'yes' }],
    ['1: a', { '1': 'a' }],
    ['a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}', { a: { x: 1, y: 2 }, b: { x: 1, y: 3 } }],
    ['a: &a {x: 1}\nb: {<<: [*a, {z: 1}]}', { a: { x: 1 }, b: { x: 1, z: 1 } }],
    ['%YAML 1.1\n---\non: yes', { on: 'yes' }],
  ])('%j', (text, value) => {
    expect(read(text)).toEqual(value);
  });

  test('keys named like members of Object are keys like any other', () => {
    const value = read('constructor: {a: 1}\ntoString: x\n') as object;
    expect(Object.keys(value)).toEqual(['constructor', 'toString']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test('tags are refused, or left aside', () => {
    expect(fault('a: !reset {b: 1}').message).toMatch(/unresolved tag: !reset/);
    expect(fault('a: !!js/function x').message).toMatch(/tag/);
    expect(fault('a: !!binary aaaa').message).toMatch(/tag/);
    expect(readYaml('a: !override {b: 1}\nc: !reset []', { tags: 'ignore' }).value).toEqual({ a: { b: 1 }, c: [] });
  });
});

describe('what is refused, with its place', () => {
  test.each([
    ['not YAML', 'a: [1\nb: 2', 2, /flow/],
    ['two documents', 'a: 1\n---\nb: 2', 2, /only one/],
    ['duplicate keys', 'a: 1\nb:\n  c: 1\n  c: 2\n', 4, /duplicate key "c": it is on line 3/],
    ['duplicate keys, spelt differently', '1: a\n"1": b', 2, /duplicate key "1"/],
    ['__proto__', 'a: 1\n__proto__: {x: 1}', 2, /__proto__/],
    ['an alias of nothing', 'a: *x', 1, /anchor|alias/],
    ['an alias of itself', 'a: &a [*a]', 1, /itself/],
    ['a merge of itself', 'a: &a {<<: *a}', 1, /itself/],
    ['a merge of a scalar', 'a: &a 1\nb: {<<: *a}', 2, /merges maps/],
    ['keys that are lists', '{[a]: 1}', 1, /keys must be/],
    ['tabs', 'a:\n\tb: 1', 2, /tabs/],
  ])('%s', (_name, text, line, message) => {
    expect(fault(text)).toMatchObject({ line, message: expect.stringMatching(message), code: 'invalid' });
    expect(fault(text).column).toBeGreaterThanOrEqual(1);
  });

  test.each([
    ['[', '['.repeat(5000)],
    ['{a: ', '{a: '.repeat(1250)],
    ['[{a: ', '[{a: '.repeat(1000)],
    ['- ', '- '.repeat(2500)],
    ['- a lines', Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}-`).join('\n')],
    ['? ', '? '.repeat(2500)],
    [': ', ': '.repeat(2500)],
    ['indented maps', Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['anchors', '&a '.repeat(60_000)],
    ['tags', '!a '.repeat(60_000)],
    ['anchors in a list', `[${'&a '.repeat(60_000)}`],
    ['? in a list', `[${'? '.repeat(60_000)}`],
    ['aliases', `a0: &a0 [x]\n${Array.from({ length: 200 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}]`).join('\n')}`],
  ])('nesting without end: %s', (_name, text) => {
    expect(fault(text).message).toMatch(/nested deeper|too many indicators/);
  });

  test.each([
    ['aliases in lists', bomb('[x, x, x, x, x, x, x, x]', (above) => `[${`${above},`.repeat(8)}]`)],
    ['aliases in maps', bomb('{x: 1}', (above) => `{${[...'abcdefgh'].map((key) => `${key}: ${above}`).join(', ')}}`)],
    ['merge keys', bomb('{x: 1}', (above) => `{<<: [${`${above},`.repeat(8)}]}`)],
    ['very many aliases', `a: &a 1\nb: [${'*a,'.repeat(80_000)}]`],
  ])('a bomb of %s', (_name, text) => {
    expect(fault(text).message).toMatch(/too large|aliases/);
  });

  test('size and depth are options', () => {
    expect(fault('a: ü', { maxBytes: 4 }).message).toMatch(/4 bytes/);
    expect(fault('a: [[1]]', { maxDepth: 2 }).message).toMatch(/2 levels/);
    expect(readYaml('a: [1]', { maxDepth: 2 }).value).toEqual({ a: [1] });
  });

  test('very many keys take no longer for being compared', () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n');
    expect(Object.keys(read(text) as object)).toHaveLength(20_000);
  });
});
