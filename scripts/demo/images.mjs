/**
 * The base images of the demo: made from an official image where the engine has it or can pull it, else from programs of
 * this machine. All bear the demo's label, and so does everything built from them or run of them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { pack } from 'tar-stream';
import { ProgramFailed } from '../lib.mjs';
import { onPath } from '../start-parts.mjs';

export const LABEL = 'slipway-demo';
const CHANGE = `LABEL ${LABEL}=1`;
/** The registry has to begin to answer within this, ms: who has no network should not wait for it. */
const PATIENCE = 5_000;

/** Makes `slipway-demo/<name>`; answers what it was made of. `programs` are those of this machine that stand in. */
export async function provideImage(docker, name, official, programs) {
  const tag = `${LABEL}/${name}`;
  if (await isPresent(docker, official)) {
    await derive(docker, official, tag);
    return official;
  }
  if (await pull(docker, official)) {
    await derive(docker, official, tag);
    await docker.getImage(official).remove();
    return `${official}, pulled`;
  }
  const missing = programs.filter((program) => !onPath(program));
  if (missing.length > 0)
    throw new ProgramFailed(
      tag,
      `needs ${official}, which cannot be pulled, or ${missing.join(' and ')} on this machine`,
      'Debian, as root: apt-get install busybox-static docker-registry',
    );
  await docker
    .importImage(imageOf(programs), {
      repo: tag,
      tag: 'latest',
      changes: [CHANGE, 'ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'],
    })
    .then(ended);
  return `this machine's ${programs.at(-1)}`;
}

/**
 * Puts the base images into the registry. The images of the application then share their layers there, instead of each
 * sending them again.
 */
export async function pushImages(docker, registry, names) {
  for (const name of names) {
    const repo = `${registry}/${LABEL}/${name}`;
    await docker.getImage(`${LABEL}/${name}`).tag({ repo, tag: 'latest' });
    await docker.getImage(repo).push({ tag: 'latest', authconfig: {} }).then(ended);
  }
}

const isPresent = (docker, reference) =>
  docker
    .getImage(reference)
    .inspect()
    .then(
      () => true,
      (error) => {
        if (error.statusCode === 404) return false;
        throw error;
      },
    );

/** The same image with the label. */
async function derive(docker, from, tag) {
  const container = await docker.createContainer({ Image: from, Labels: { [LABEL]: '1' } });
  try {
    await container.commit({ repo: tag, tag: 'latest', changes: CHANGE });
  } finally {
    await container.remove({ v: true });
  }
}

/** Whether the image is there now. */
async function pull(docker, reference) {
  const [fromImage, tag] = reference.split(':');
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), PATIENCE);
  try {
    const progress = await docker.createImage({}, { fromImage, tag, abortSignal: late.signal });
    clearTimeout(timer);
    await ended(progress);
    return true;
  } catch {
    // Not there, not allowed, no network: whatever it is, the machine's own programs will do.
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the engine's messages to their end; throws the one that is an error. */
async function ended(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk;
  const error = text.split('\n').find((line) => line.includes('"error"'));
  if (error) throw new Error(JSON.parse(error).error);
}

/** A root file system of busybox with its applets, the other programs, and the libraries that they load. */
function imageOf(programs) {
  const tar = pack();
  const folders = new Set();
  const folder = (name, mode = 0o755) => {
    if (name === '.' || folders.has(name)) return;
    folder(path.dirname(name));
    folders.add(name);
    tar.entry({ name, type: 'directory', mode });
  };
  const file = (name, content, mode = 0o644) => {
    folder(path.dirname(name));
    tar.entry({ name, mode }, content);
  };
  folder('tmp', 0o1777);
  for (const name of ['dev', 'proc', 'run', 'sys', 'root', 'data', 'var/log']) folder(name);
  file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n');
  file('etc/group', 'root:x:0:\nnogroup:x:65534:\n');
  file('etc/nsswitch.conf', 'hosts: files dns\n');
  const libraries = new Set();
  for (const program of programs) {
    const source = realpathSync(onPath(program));
    file(program === 'busybox' ? 'bin/busybox' : `usr/local/bin/${program}`, readFileSync(source), 0o755);
    for (const library of librariesOf(source)) libraries.add(library);
  }
  for (const library of libraries) file(library.slice(1), readFileSync(library), 0o755);
  for (const applet of execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (applet !== 'busybox') tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  tar.finalize();
  return tar;
}

/** What a program loads at start, and what its C library loads to look up names; a static one has none. */
function librariesOf(program) {
  let listed = '';
  try {
    listed = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return [];
  }
  const loaded = [...listed.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].map(([, file]) => file);
  const libc = loaded.find((file) => /\/libc\.so/.test(file));
  const names = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];
  return [...loaded, ...(libc ? names.map((name) => path.join(path.dirname(libc), name)).filter(existsSync) : [])];
}
