/** Files that were written to hurt: patterns and compose files. */
import { expect, test } from 'vitest';
import { parseCompose } from '../../pipelines/compose/document.ts';
import { findViolations } from '../../pipelines/compose/policy.ts';
import { compileGlob, faultOfGlob } from '../../pipelines/glob.ts';
import { parsePipeline } from '../../pipelines/parse.ts';
import { matchesAny } from '../../pipelines/patterns.ts';

test.each([
  ['*a'.repeat(50), 'a'.repeat(250)],
  ['**/a/'.repeat(50), 'a/'.repeat(1000)],
  ['{a,aa}{a,aa}{a,aa}*b', 'a'.repeat(4000)],
])('no pattern keeps the server busy: %.20s', (pattern, path) => {
  expect(matchesAny([`${pattern}b`], path)).toBe(false);
});

test('braces that multiply are refused where they are written', () => {
  const bomb = '{a,b}'.repeat(20);
  expect(faultOfGlob(bomb)).toMatch(/more than 500 alternatives/);
  const parsed = parsePipeline(`on: {paths: ["${bomb}"]}\nsteps: {unit: {image: busybox, run: [test]}}\n`);
  expect(parsed.ok ? [] : parsed.errors).toMatchObject([{ path: expect.stringContaining('on.paths'), line: 1 }]);
});

test.each([
  ['a/**', 'a', false],
  ['a/**/c', 'a/c', true],
  ['**/*.xml', 'x.xml', true],
  ['./out/*.log', 'out/.a.log', true],
  ['{web,api/*}/Dockerfile', 'api/v1/Dockerfile', true],
  ['{a,{b,c}}x', 'cx', true],
  ['log[0-9].txt', 'log7.txt', true],
  ['log[!0-9].txt', 'log7.txt', false],
  ['\\*.md', '*.md', true],
  ['\\*.md', 'a.md', false],
  ['a{b', 'a{b', true],
])('%s and %s: %s', (pattern, path, matched) => {
  expect(compileGlob(pattern, { classes: true })(path)).toBe(matched);
});

const violations = (text: string) => findViolations(parseCompose(text, 'compose.yml')).map(({ field }) => field);

test.each([
  [
    'services: {container: {image: a}, evil: {image: a, volumes_from: ["container:other_db_1"]}}',
    'services.evil.volumes_from',
  ],
  ['volumes: {x: {name: slipway-secrets-bank-pro-shop-web}}', 'volumes.x'],
  ['volumes: {slipway-files-0123456789abcdef: {external: true}}', 'volumes.slipway-files-0123456789abcdef'],
  ['volumes: {x: {external: {name: slipway-cache-0}}}', 'volumes.x'],
  ['networks: {wire: {driver: macvlan, driver_opts: {parent: eth0}}}', 'networks.wire'],
])('refused whatever else it says: %s', (text, field) => {
  expect(violations(text)).toEqual([field]);
});
