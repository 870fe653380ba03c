/** The application's repository, and the project that Slipway is told of: all through Git and the public API. */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { tokenOf } from './api.mjs';
import { freePort } from './parts.mjs';

const APP = fileURLToPath(new URL('app', import.meta.url));
export const PROJECT = 'harbour';
export const PIPELINE = 'app';
export const PEOPLE = {
  dana: { role: 'developer', email: 'dana@example.com' },
  rita: { role: 'release-manager', email: 'rita@example.com' },
  omar: { role: 'release-manager', email: 'omar@example.com' },
};
const SEAS = ['teal', 'indigo', 'seagreen', 'firebrick', 'darkslateblue', 'chocolate'];

/** A repository with one commit: what Slipway finds when it first looks. */
export function makeRepository(home) {
  const folder = path.join(home.folder, 'harbour');
  cpSync(APP, folder, { recursive: true });
  const git = (...args) =>
    execFileSync('git', ['-c', 'user.name=Dana', '-c', `user.email=${PEOPLE.dana.email}`, ...args], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  git('init', '--quiet', '--initial-branch=main');
  // So that whoever commits by hand needs to set nothing.
  git('config', 'user.name', 'Dana');
  git('config', 'user.email', PEOPLE.dana.email);
  git('add', '.');
  git('commit', '--quiet', '--message', 'Open the harbour');
  return { folder, git };
}

/** The sea in the next colour. Answers `{ revision, subject }`. */
export function commitChange({ folder, git }) {
  const file = path.join(folder, 'web/harbour.css');
  const css = readFileSync(file, 'utf8');
  const now = SEAS.indexOf(/--sea: ([\w#]+)/.exec(css)?.[1]);
  const sea = SEAS[(now + 1) % SEAS.length];
  const subject = `Paint the sea ${sea}`;
  writeFileSync(file, css.replace(/--sea: [\w#]+/, `--sea: ${sea}`));
  git('commit', '--quiet', '--all', '--message', subject);
  return { revision: git('rev-parse', 'HEAD'), subject };
}

/** DEV follows by itself, TEST follows DEV, PRO waits to be asked and approved. Answers what people need to know of it. */
export async function defineProject(api, { url, password, registry, repository }) {
  await api.put(`/projects/${PROJECT}`, { name: 'Harbour' });
  await api.put(`/projects/${PROJECT}/registry`, { url: registry, insecure: true });
  const tokens = {};
  for (const [name, { role, email }] of Object.entries(PEOPLE)) {
    await api.put(`/users/${name}`, { email, password });
    await api.put(`/projects/${PROJECT}/members/${name}`, { role });
    tokens[name] = await tokenOf(url, name, password);
  }
  const urls = {};
  const stages = [
    ['DEV', { promote: 'auto' }],
    ['TEST', { promote: 'auto', after: 'DEV' }],
    ['PRO', { promote: 'manual', after: 'TEST', approvals: { count: 1, roles: ['release-manager'] } }],
  ];
  for (const [index, [name, gates]] of stages.entries()) {
    const port = await freePort(8081 + index);
    urls[name] = `http://127.0.0.1:${port}`;
    await api.put(`/projects/${PROJECT}/environments/${name}`, {
      order: index + 1,
      engine: { kind: 'compose', host: process.env.DOCKER_HOST || 'unix:///var/run/docker.sock' },
      variables: { PORT: String(port), PLACE: name },
      url: urls[name],
      ...gates,
    });
  }
  await api.put(`/projects/${PROJECT}/pipelines/${PIPELINE}`, {
    source: { kind: 'git', url: pathToFileURL(repository.folder).href, branches: ['main'] },
    poll: '*/1 * * * * *',
  });
  return { tokens, urls };
}
