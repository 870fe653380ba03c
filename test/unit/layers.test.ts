import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const layers = ['pipelines', 'runner', 'server', 'ui'] as const;
type Layer = (typeof layers)[number];

/** What each layer may import of the others. */
const allowed: Record<Layer, readonly Layer[]> = {
  pipelines: [],
  runner: ['pipelines'],
  server: ['pipelines', 'runner'],
  ui: ['pipelines'],
};
/** What touches neither network, files nor clock. */
const pureLibraries = ['yaml', 'zod', 'picomatch', 'croner', 'node:path', 'node:crypto'];
/** Pure checks of the runner that the server makes, too, before it stores something. */
const sharedChecks = ['runner/tools/git-url.ts', 'runner/tools/svn-url.ts', 'runner/tools/deadline.ts'];
/** Where implementations are wired together. */
const roots = ['server/main.ts', 'server/doctor.ts', 'server/cli/run.ts', 'runner/main.ts'];

interface Import {
  from: string;
  /** A path below the checkout, or the name of a package. */
  to: string;
  typeOnly: boolean;
}

const sources = (folder: string): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !file.includes('node_modules'))
    .map((file) => path.posix.join(folder, file.split(path.sep).join('/')));

function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const statements = /^\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;
  return [...text.matchAll(statements)].map(([, type, fixed, dynamic]) => {
    const name = (fixed ?? dynamic) as string;
    const to = name.startsWith('.') ? path.posix.join(path.posix.dirname(file), name) : name;
    return { from: file, to, typeOnly: type !== undefined };
  });
}

const layerOf = (file: string): Layer | undefined => layers.find((layer) => file.startsWith(`${layer}/`));
const show = ({ from, to }: Import): string => `${from} imports ${to}`;
const imports = layers
  .filter((layer) => existsSync(path.join(root, layer)))
  .flatMap((layer) => sources(layer).flatMap(importsOf));

describe('imports', () => {
  it('are found', () => {
    expect(imports.map(show)).toContain('server/store/db.ts imports pipelines/errors.ts');
    expect(imports.map(show)).toContain('server/cli/local.ts imports server/main.ts');
  });

  it('go one way: pipelines ← runner ← server, pipelines ← ui', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [inner, outer] = [layerOf(from) as Layer, layerOf(to)];
      return outer !== undefined && outer !== inner && !allowed[inner].includes(outer);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('stay inside the layers', () => {
    const wrong = imports.filter(({ to }) => /^(test|scripts|\.\.)\//.test(to));
    expect(wrong.map(show)).toEqual([]);
  });

  it('of the web client are types only', () => {
    const wrong = imports.filter(
      ({ from, to, typeOnly }) => layerOf(from) === 'ui' && layerOf(to) === 'pipelines' && !typeOnly,
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('of pipelines/ reach no file, socket, process or clock', () => {
    const wrong = imports.filter(
      ({ from, to }) => layerOf(from) === 'pipelines' && layerOf(to) === undefined && !pureLibraries.includes(to),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('of server/ take implementations from runner/ in the composition root only', () => {
    const wrong = imports.filter(
      ({ from, to, typeOnly }) =>
        layerOf(from) === 'server' &&
        layerOf(to) === 'runner' &&
        !typeOnly &&
        !roots.includes(from) &&
        !sharedChecks.includes(to),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  it('of a composition root are made by nobody but what starts it', () => {
    const starters = ['server/main.ts', 'server/cli/run.ts', 'server/cli/local.ts'];
    const wrong = imports.filter(({ from, to }) => roots.includes(to) && !starters.includes(from));
    expect(wrong.map(show)).toEqual([]);
  });
});

describe('pipelines/', () => {
  it('asks no clock and throws no dice', () => {
    const wrong = sources('pipelines').filter((file) =>
      /\bDate\.now\(|\bnew Date\(\)|\bperformance\.|\bMath\.random\(|\bprocess\.|\bset(Timeout|Interval)\(/.test(
        readFileSync(path.join(root, file), 'utf8'),
      ),
    );
    expect(wrong).toEqual([]);
  });
});
