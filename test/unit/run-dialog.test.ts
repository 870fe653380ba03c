/** What the dialog that starts a build is made of, without a browser. */
import { describe, expect, it, test } from 'vitest';
import { branchLabel } from '../../pipelines/branches.ts';
import type { Parameter } from '../../ui/api/types.ts';
import { isForeign, branchLabel as labelIn } from '../../ui/components/branch-label.ts';
import { searchItems } from '../../ui/components/picker-search.ts';
import { en } from '../../ui/i18n/en.ts';
import { missing, valuesToSend } from '../../ui/pages/pipeline/parameter-values.ts';

test('a branch is called the same by the page as by the server', () => {
  const t = (key: keyof typeof en, fill: Record<string, string | number> = {}) =>
    en[key].replace(/\{(\w+)\}/g, (_, name: string) => String(fill[name]));
  const branches = [
    'main',
    'branches/1.x',
    'refs/tags/v1',
    'refs/pull/7/head',
    'refs/merge-requests/3/head',
    'refs/x/y',
  ];
  expect(branches.map((each) => labelIn(t, each))).toEqual(branches.map(branchLabel));
  expect(branches.filter(isForeign)).toEqual(['refs/pull/7/head', 'refs/merge-requests/3/head', 'refs/x/y']);
});

describe('a chooser', () => {
  const items = ['main', 'release/1.x', 'release/2.x'].map((text) => ({ key: text, text }));
  const keys = (typed: string) => searchItems(items, typed).found.map(({ key }) => key);

  it('finds what has all the words, in any order and case', () => {
    expect(keys('')).toEqual(['main', 'release/1.x', 'release/2.x']);
    expect(keys('2 REL')).toEqual(['release/2.x']);
    expect(keys('nowhere')).toEqual([]);
  });

  it('searches what an item says beside its text', () => {
    const item = { key: '1', text: 'r1', search: 'r1 Fix the cart, by Mei' };
    expect(searchItems([item], 'mei cart').found).toEqual([item]);
  });

  it('takes what was typed where the list has nothing, and not before', () => {
    const make = (text: string) => ({ key: `typed ${text}`, text });
    expect(searchItems(items, ' abc ', make).found).toEqual([{ key: 'typed abc', text: 'abc' }]);
    expect(searchItems(items, 'main', make).found).toHaveLength(1);
  });

  it('shows a hundred, and tells how many more there are', () => {
    const many = Array.from({ length: 250 }, (_, index) => ({ key: String(index), text: `branch ${index}` }));
    const { found, more } = searchItems(many, 'branch');
    expect([found.length, more]).toEqual([100, 150]);
  });
});

describe('parameters', () => {
  const parameter = (name: string, type: Parameter['type'], start: string | null): Parameter => ({
    name,
    type,
    options: [],
    default: start,
    description: null,
  });
  const all = [
    parameter('target', 'choice', 'dev'),
    parameter('fast', 'boolean', null),
    parameter('why', 'string', null),
  ];

  it('must be given where the file has no default; a box that is not ticked says no', () => {
    expect(missing(all, {})).toEqual(['why']);
    expect(missing(all, { why: 'SHOP-7' })).toEqual([]);
  });

  it('are sent where they differ from the file, or where the file says nothing', () => {
    expect(valuesToSend(all, { target: 'dev', why: 'x' })).toEqual({ fast: 'false', why: 'x' });
    expect(valuesToSend(all, { target: 'pro', fast: 'true', gone: '1' })).toEqual({
      target: 'pro',
      fast: 'true',
      why: '',
    });
  });

  it('may have any name', () => {
    expect(missing([parameter('constructor', 'string', null)], {})).toEqual(['constructor']);
  });
});
