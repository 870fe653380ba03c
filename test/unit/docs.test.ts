import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsePipeline } from '../../pipelines/parse.ts';
import { readConfig, SETTINGS } from '../../server/config.ts';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const pages = [
  'README.md',
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => path.join('docs', file)),
];

describe('the references', () => {
  test('are those of the code: run `npm run docs` where they are not', async () => {
    // @ts-expect-error: a script, without types
    const { references } = (await import('../../scripts/docs.mjs')) as { references(): Record<string, string> };
    for (const [file, text] of Object.entries(references())) expect(read(file), file).toBe(text);
  });

  test('know every setting that is read, and tell its default', () => {
    const asked: string[] = [];
    const env = new Proxy({} as Record<string, string>, {
      get: (_, name) => {
        asked.push(String(name));
        return undefined;
      },
    });
    const { port, host, runnerSlots, logLimit, timezone, mailFrom } = readConfig(env);
    expect([...new Set(asked)].sort()).toEqual(Object.keys(SETTINGS).sort());
    expect([port, host, runnerSlots, logLimit, timezone, mailFrom].map(String)).toEqual(
      (['PORT', 'HOST', 'RUNNER_SLOTS', 'LOG_LIMIT', 'TIMEZONE', 'MAIL_FROM'] as const).map(
        (name) => SETTINGS[`SLIPWAY_${name}`].otherwise,
      ),
    );
  });
});

describe.each(pages)('%s', (page) => {
  const text = read(page);

  test('links to files that are there', () => {
    const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, to]) => to as string);
    const missing = links.filter((to) => !existsSync(path.resolve(root, path.dirname(page), to)));
    expect(missing).toEqual([]);
  });

  test('shows pipeline files that are right', () => {
    const files = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].flatMap(([, yaml]) => yaml ?? []);
    for (const file of files.filter((yaml) => /^steps:/m.test(yaml)))
      expect(parsePipeline(file), file).toMatchObject({ ok: true });
  });
});
