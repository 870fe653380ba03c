// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of pipeline files
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { faultOfCron } from '../../pipelines/values.ts';
import { readCron } from '../../server/import/cron.ts';
import { readBuild } from '../../server/import/docker-build.ts';
import { tokenize } from '../../server/import/groovy-tokens.ts';
import { javaOf } from '../../server/import/images.ts';
import { interpreted } from '../../server/import/shell.ts';
import { scalar } from '../../server/import/write.ts';

describe("Jenkins' cron", () => {
  test.each([
    'H * * * *',
    'H/15 * * * *',
    'H(0-29)/10 H(1-5) * * 1-5',
    '@daily',
    '@weekly',
    '@monthly',
    '@yearly',
    'H H 1,15 1-11 *',
  ])('%s is a time, and always the same one', (text) => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const { cron } = readCron(text, seed);
        expect(faultOfCron(cron ?? '')).toBeNull();
        expect(readCron(text, seed).cron).toBe(cron);
      }),
      { numRuns: 30 },
    );
  });

  test('jobs do not all begin at once', () => {
    const crons = new Set(Array.from({ length: 50 }, (_, seed) => readCron('H H * * *', `job ${seed}`).cron));
    expect(crons.size).toBeGreaterThan(40);
  });

  test('time zones, comments, further lines and nonsense', () => {
    expect(readCron('TZ=Asia/Tokyo\n# nightly\n0 2 * * *\n0 5 * * 0', '')).toEqual({
      cron: '0 2 * * *',
      original: '0 2 * * *',
      timezone: 'Asia/Tokyo',
      rest: ['0 5 * * 0'],
    });
    expect(readCron('TZ=Nowhere/Else\n0 2 * * *', '')).toMatchObject({ timezone: null, rest: ['TZ=Nowhere/Else'] });
    expect(readCron('every day', '').cron).toBeNull();
    expect(readCron('', '').cron).toBeNull();
  });
});

describe('Groovy strings', () => {
  const parts = (source: string) => tokenize(source).find(({ kind }) => kind === 'string')?.parts;
  test.each([
    [`'a\\'b\${c}'`, ["a'b${c}"]],
    ['"a ${b.c} $d.e \\$f"', ['a ', { code: 'b.c' }, ' ', { code: 'd.e' }, ' $f']],
    ["'''x\n'y' \\\nz'''", ["x\n'y' z"]],
    ['a = /C:\\dir\\/x/', ['C:\\dir/x']],
    ['"\\u0041${ [a: {1}] }"', ['A', { code: '[a: {1}]' }]],
    ["'never closed\n", ['never closed']],
  ])('%s', (source, expected) => {
    expect(parts(source)).toEqual(expected);
  });
});

test.each([
  ['docker build -t shop/web .', { image: 'shop/web' }],
  [
    'docker image build --pull -t reg.example.com:5000/shop/web:1 --target=run web',
    { image: 'shop/web', context: 'web', target: 'run' },
  ],
  ['docker build -t "$REG/shop/web" -f ci/Dockerfile ./', { image: 'shop/web', dockerfile: 'ci/Dockerfile' }],
  ['docker build -t a -t b .', null],
  ['docker build -t a --network host .', null],
  ['docker build -t a ../x', null],
  ['docker build -t a . && rm x', null],
  ['docker build -t a --build-arg V=$(date) .', null],
  ['docker build .', null],
])('%s', (command, expected) => {
  const build = readBuild(command);
  if (expected === null) expect(build).toBeNull();
  else expect(build).toMatchObject(expected);
});

test.each([
  ['JDK 1.8 (latest)', '8'],
  ['jdk_17_latest', '17'],
  ['OpenJDK11', '11'],
  ['java-21.0.2', '21'],
  ['jdk1.7.0_80', '8'],
  ['temurin', null],
])('%s is Java %s', (name, version) => {
  expect(javaOf(name)).toBe(version);
});

test('scripts of other interpreters are handed to them', () => {
  expect(interpreted('#!/usr/bin/env python3\n  print(1)\n')).toBe("python3 <<'SCRIPT'\nprint(1)\nSCRIPT");
  expect(interpreted('\n  #!/bin/bash\n  a\n  SCRIPT\n')).toBe(
    "bash -e <<'SCRIPT'\na\nSCRIPT\nSCRIPT".replaceAll("'SCRIPT'", "'SCRIPT_'").replace(/SCRIPT$/, 'SCRIPT_'),
  );
  expect(interpreted('make')).toBe('make');
});

test('a text in the file is read as the same text', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.string({
      unit: fc.constantFrom(
        'a',
        '.',
        ':',
        ' ',
        '#',
        '-',
        "'",
        '"',
        '{',
        '[',
        '&',
        '*',
        '!',
        '%',
        '@',
        '1',
        'n',
        '~',
        ',',
        '\n',
        '\\',
      ),
    }),
    fc.constantFrom(
      'true',
      'No',
      'null',
      '~',
      '1',
      '.5',
      '0x1f',
      '1e3',
      '.inf',
      '2020-01-01',
      '',
      '---',
      '...',
      '<<',
      '=',
      '12:30:45',
      'a: b',
      'a #b',
    ),
  );
  fc.assert(
    fc.property(text, (each) => {
      expect(parse(`a: ${scalar(each)}\nb: [${scalar(each)}, x]\n`)).toEqual({ a: each, b: [each, 'x'] });
    }),
    { numRuns: 200 },
  );
});
