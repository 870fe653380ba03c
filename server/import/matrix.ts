/** `matrix { axes { } }` as `matrix:` of every step in it. */
import { callsOf, textArgument } from './context.ts';
import type { Call } from './groovy.ts';
import { javaOf } from './images.ts';
import type { Note } from './notes.ts';
import { noteOf, type Scope, toText } from './scope.ts';

export interface Axes {
  values: Map<string, string[]>;
  notes: Note[];
  /** A name with an axis in it that no image can be made of, with the first value instead. */
  plain(name: string): string;
}

const MOST = 50;

export function readMatrix(matrix: Call, scope: Scope): Axes {
  const axes: Axes = { values: new Map(), notes: [], plain: (name) => name };
  const first = new Map<string, string>();
  for (const axis of callsOf(matrix.block, 'axes').flatMap(({ block }) => callsOf(block, 'axis'))) {
    const name = textArgument(callsOf(axis.block, 'name')[0] ?? axis, 'name') ?? '';
    const written = callsOf(axis.block, 'values').flatMap(({ args }) => args.map((arg) => toText(arg) ?? ''));
    const key = keyOf(name, axes.values);
    const java = javaVersions(name, written, matrix);
    const values = java ?? written.map(shortWord);
    if (values.length === 0 || new Set(values).size < values.length || size(axes.values) * values.length > MOST) {
      axes.notes.push(noteOf(scope, axis, `a matrix has different short values, and at most ${MOST} combinations`));
      continue;
    }
    axes.values.set(key, values);
    scope.axes.set(name, key);
    scope.known.add(name);
    if (!java) first.set(`\${matrix.${key}}`, written[0] ?? '');
    if (values.join() !== written.join()) {
      const place = { line: axis.line, source: `axis ${name}: ${written.join(', ')}` };
      axes.notes.push(noteOf(scope, place, `values are short words here: ${values.join(', ')}`));
    }
  }
  for (const excludes of callsOf(matrix.block, 'excludes'))
    axes.notes.push(
      noteOf(scope, excludes, 'a matrix has all combinations: leave the step in a test, or make two steps'),
    );
  const place = { line: matrix.line, source: `matrix ${[...axes.values.keys()].join(', ')}` };
  if (size(axes.values) > 1)
    axes.notes.push(
      noteOf(scope, place, 'the combinations share one workspace: let each build into a folder of its own'),
    );
  axes.plain = (name) => first.get(name) ?? name;
  return axes;
}

const size = (axes: ReadonlyMap<string, string[]>): number =>
  [...axes.values()].reduce((product, values) => product * values.length, 1);

function keyOf(name: string, taken: ReadonlyMap<string, string[]>): string {
  const key = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+/, '')
    .slice(0, 28);
  const free = key === '' ? 'axis' : key;
  return taken.has(free) ? `${free}_${taken.size}` : free;
}

const shortWord = (value: string): string =>
  value
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 40);

/** Names of Java installations as their versions, where nothing but `tools` asks for them: then they can name images. */
function javaVersions(name: string, values: readonly string[], matrix: Call): string[] | null {
  const source = matrix.source.replace(/name\s*\(?\s*(['"])\w+\1|\bvalues\b[^\n}]*/g, '');
  const mentions = source.match(new RegExp(`\\b${name.replace(/\W/g, '.')}\\b`, 'g'))?.length ?? 0;
  const asTool = new RegExp(`jdk\\s*\\(?\\s*["']?\\$?\\{?(env\\.|params\\.)?${name.replace(/\W/g, '.')}\\b`).test(
    source,
  );
  if (!asTool || mentions !== 1) return null;
  const versions = values.map(javaOf);
  return versions.includes(null) ? null : (versions as string[]);
}
