import { expect, test } from 'vitest';
import { lineDiff } from '../../ui/pages/promote/line-diff.ts';

const shown = (from: string, to: string): string[] => lineDiff(from, to).map(({ sign, text }) => `${sign}${text}`);

test('equal texts have no difference', () => {
  expect(lineDiff('a\nb', 'a\nb')).toEqual([]);
});

test('a changed line is shown as gone and come, between its neighbours', () => {
  expect(shown('1\n2\n3\nold\n5\n6\n7', '1\n2\n3\nnew\n5\n6\n7')).toEqual([' 2', ' 3', '-old', '+new', ' 5', ' 6']);
});

test('lines only come, or only go', () => {
  expect(shown('a', 'a\nb')).toEqual([' a', '+b']);
  expect(shown('a\nb', 'b')).toEqual(['-a', ' b']);
});
