import { expect, test } from 'vitest';
import { en } from '../../ui/i18n/en.ts';
import { zh } from '../../ui/i18n/zh.ts';
import { WORDS as LOG_WORDS } from '../../ui/log/words.ts';
import { WORDS as BUILD_WORDS } from '../../ui/pages/build/words.ts';
import { PIPELINE_WORDS } from '../../ui/pages/pipeline/words.ts';

const CATALOGS: Record<string, { en: Record<string, string>; zh: Record<string, string> }> = {
  main: { en, zh },
  build: BUILD_WORDS,
  log: LOG_WORDS,
  pipeline: PIPELINE_WORDS,
};
const placeholders = (text = ''): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '').sort();

test.each(Object.keys(CATALOGS))('every word of %s is there in both languages', (name) => {
  const catalog = CATALOGS[name];
  expect(Object.keys(catalog?.zh ?? {}).sort()).toEqual(Object.keys(catalog?.en ?? {}).sort());
  expect(Object.values(catalog?.zh ?? {}).filter((text) => text.trim() === '')).toEqual([]);
});

test.each(Object.keys(CATALOGS))('a translation of %s fills in what the original does', (name) => {
  const { en: original = {}, zh: translated = {} } = CATALOGS[name] ?? {};
  const wrong = Object.keys(original).filter(
    (key) => placeholders(original[key]).join() !== placeholders(translated[key]).join(),
  );
  expect(wrong).toEqual([]);
});
