/** `npm run build`: TypeScript to dist/, migrations and other files beside it, mail templates precompiled. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import Handlebars from 'handlebars';
import { root, run } from './lib.mjs';

const dist = path.join(root, 'dist');
const cli = path.join(dist, 'server', 'cli', 'main.js');
const client = path.join(dist, 'ui');

export function build() {
  compile();
  copyAssets();
  precompileTemplates();
  buildClient();
  chmodSync(cli, 0o755);
  writeFileSync(path.join(dist, '.stamp'), '');
}

/** Whether something that is built is newer than the last build. */
export function isStale() {
  const stamp = path.join(dist, '.stamp');
  if (!existsSync(stamp) || !existsSync(cli)) return true;
  const built = statSync(stamp).mtimeMs;
  return [
    'pipelines',
    'runner',
    'server',
    'ui',
    'scripts',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ].some((part) => newest(path.join(root, part)) > built);
}

function newest(file) {
  if (!existsSync(file)) return 0;
  const stat = statSync(file);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(file).reduce((latest, name) => Math.max(latest, newest(path.join(file, name))), stat.mtimeMs);
}

function compile() {
  removeOrphans(dist);
  if (!existsSync(cli)) rmSync(path.join(dist, '.tsbuildinfo'), { force: true });
  run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
}

/** Incremental builds leave the output of sources that are gone. */
function removeOrphans(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (file === client) continue;
    if (entry.isDirectory()) removeOrphans(file);
    else if (
      entry.name.endsWith('.js') &&
      !existsSync(path.join(root, path.relative(dist, file).replace(/js$/, 'ts')))
    ) {
      rmSync(file);
      rmSync(`${file}.map`, { force: true });
    }
  }
}

/** Files that modules read from beside themselves. */
function copyAssets() {
  const assets = ['server/store/migrations', 'pipelines/examples'];
  for (const folder of assets.filter((name) => existsSync(path.join(root, name)))) {
    rmSync(path.join(dist, folder), { recursive: true, force: true });
    cpSync(path.join(root, folder), path.join(dist, folder), {
      recursive: true,
      filter: (source) => !source.endsWith('.ts'),
    });
  }
}

/** Takes the place of server/notify/templates.ts: the same export, without the compiler and without reading files. */
function precompileTemplates() {
  const folder = path.join(root, 'server/notify/templates');
  const templates = readdirSync(folder).map((file) => {
    const spec = Handlebars.precompile(readFileSync(path.join(folder, file), 'utf8'), { strict: true });
    return `  ${JSON.stringify(path.basename(file, '.hbs'))}: ${spec},`;
  });
  mkdirSync(path.join(dist, 'server/notify'), { recursive: true });
  writeFileSync(
    path.join(dist, 'server/notify/templates.js'),
    `// Made from server/notify/templates/*.hbs by scripts/build.mjs.
import runtime from 'handlebars/runtime.js';

const handlebars = runtime.create();
const specs = {
${templates.join('\n')}
};
const compiled = {};
for (const [name, spec] of Object.entries(specs)) {
  compiled[name] = handlebars.template(spec);
  handlebars.registerPartial(name, compiled[name]);
}

export function render(name, context) {
  const template = compiled[name];
  if (!template) throw new Error(\`there is no mail template \${name}\`);
  return template(context);
}
`,
  );
}

/** The web client, if something of it is newer than what was built; each file with a compressed twin. */
function buildClient() {
  const built = path.join(client, '.stamp');
  const sources = ['ui', 'package-lock.json', 'scripts/build.mjs'].map((part) => path.join(root, part));
  if (existsSync(built) && sources.every((source) => newest(source) < statSync(built).mtimeMs)) return;
  const startedAt = new Date();
  run(process.execPath, [path.join(root, 'node_modules/vite/bin/vite.js'), 'build', 'ui', '--logLevel', 'warn']);
  const assets = path.join(client, 'assets');
  for (const name of readdirSync(assets)) {
    const file = path.join(assets, name);
    writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
  }
  writeFileSync(built, '');
  utimesSync(built, startedAt, startedAt);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build();
