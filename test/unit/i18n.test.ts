import { expect, test } from 'vitest';
import { en } from '../../ui/i18n/en.ts';
import { zh } from '../../ui/i18n/zh.ts';

const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '').sort();

test('every word is there in both languages', () => {
  expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  expect(Object.values(zh).filter((text) => text.trim() === '')).toEqual([]);
});

test('a translation fills in what the original does', () => {
  const wrong = (Object.keys(en) as (keyof typeof en)[]).filter(
    (key) => placeholders(en[key]).join() !== placeholders(zh[key]).join(),
  );
  expect(wrong).toEqual([]);
});
