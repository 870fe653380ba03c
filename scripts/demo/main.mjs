/** The demo from its first line to its last. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { ProgramFailed, root, sinceStart } from '../lib.mjs';
import { begin, marks, paint, say, step, tell } from '../terminal.mjs';
import { apiOf } from './api.mjs';
import { makeHome, plural, runningDemo, sweep } from './home.mjs';
import { provideImage, pushImages } from './images.mjs';
import { converse } from './keys.mjs';
import { startMailCatcher } from './mail-catcher.mjs';
import { freePort, startRegistry, startSlipway } from './parts.mjs';
import { commitChange, defineProject, makeRepository, PEOPLE, PROJECT } from './project.mjs';
import { RunFailed, watchOf } from './watch.mjs';

/** Answers the exit code. `once`: the whole job without a person, then the end. */
export async function demo({ once }) {
  const other = runningDemo();
  if (other) {
    say(`  ${marks.failed} A demo runs already (process ${other}): stop that one first, with Ctrl-C there.`);
    return 1;
  }
  say(`\n  ${paint('bold', 'Slipway')}: five services from a commit to PRO, on this machine alone.\n`);
  const docker = await lookAround();
  if (!docker) return 1;
  const left = await sweep(docker);
  if (left) tell(marks.passed, 'cleared away', `what a demo before this one had left: ${left}`);

  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop.abort(signal));
  const home = makeHome();
  let mail = null;
  try {
    const world = await setTheStage(home, docker, stop.signal, (catcher) => {
      mail = catcher;
    });
    await (once ? playOnce(world) : playAlong(world));
    return 0;
  } catch (thrown) {
    if (stop.signal.aborted) return once ? 130 : 0;
    explain(thrown);
    return 1;
  } finally {
    await clearAway(docker, mail, stop.signal.aborted);
  }
}

/** What the demo cannot do without. Answers the engine, or null after saying what is missing. */
async function lookAround() {
  const { diagnose } = await import('../../dist/server/doctor.js');
  const checks = (await diagnose(process.env)).filter(({ name }) =>
    ['engine', 'compose', 'git', 'disk'].includes(name),
  );
  const missing = checks.filter(({ state }) => state === 'missing');
  for (const { name, found, mend } of missing) {
    say(`  ${marks.failed} ${name}: ${found}`);
    for (const line of mend) say(`      ${line}`);
  }
  if (missing.length > 0) return null;
  tell(marks.passed, 'this machine', checks.map(({ found }) => found.replace(/ \(.*\)/, '')).join(' · '));
  return new Docker();
}

/** Everything up to the first commit. */
async function setTheStage(home, docker, signal, onCatcher) {
  const act = async (...args) => {
    signal.throwIfAborted();
    const result = await step(...args);
    signal.throwIfAborted();
    return result;
  };
  await act(
    'base images',
    async () => [
      await provideImage(docker, 'busybox', 'busybox:1.36', ['busybox']),
      await provideImage(docker, 'node', 'node:20-alpine', ['busybox', 'node']),
    ],
    (made) => `of ${made.join(' and ')}`,
  );
  const registry = await act(
    'registry',
    () => startRegistry(home, docker),
    ({ host, kind }) => `${host} (${kind})`,
  );
  // Takes a while, and nothing needs it before the first build.
  const pushed = pushImages(docker, registry.host, ['busybox', 'node']);
  pushed.catch(() => {});
  const heard = [];
  const mail = await act(
    'mail catcher',
    async () => {
      const catcher = await startMailCatcher({ webPort: await freePort(8025), onMail: (each) => hear(heard, each) });
      onCatcher(catcher);
      return catcher;
    },
    ({ url }) => url,
  );
  const slipway = await act(
    'Slipway',
    () => startSlipway(home, { mail: mail.smtp }),
    ({ url }) => url,
  );
  const api = apiOf(slipway.url, slipway.token);
  const repository = await act(
    'Git repository',
    async () => makeRepository(home),
    ({ folder }) => `${folder}, ${lines(path.join(folder, 'slipway.yml'))} lines of slipway.yml`,
  );
  const project = await act(
    `project ${PROJECT}`,
    () => defineProject(api, { ...slipway, registry: registry.host, repository }),
    () => 'DEV → TEST by themselves → PRO with an approval',
  );
  await act('base images pushed', () => pushed);
  return { ...slipway, ...project, repository, mail, signal, watch: watchOf(api, heard, signal) };
}

const lines = (file) => readFileSync(file, 'utf8').trim().split('\n').length;

/** One line a message, however many people it goes to. */
function hear(heard, { subject, to }) {
  const known = heard.find((each) => each.subject === subject);
  if (known) known.to.push(to);
  else heard.push({ subject, to: [to], told: false });
}

/** Commit, promotion, second commit, promotion, rollback. */
async function playOnce(world) {
  const { watch } = world;
  const releases = [];
  for (const number of [1, 2]) {
    commitChange(world.repository);
    await watch.until(async () => (await watch.latestBuild()) >= number);
    releases.push(await watch.journey(number));
    await promote(world, releases.at(-1));
  }
  await rollBack(world);
  const now = await watch.current('PRO');
  const [first] = releases;
  if (now?.release !== first) throw new Error(`PRO runs ${now?.release}, and not ${first}`);
  say();
  say(
    `  ${marks.passed} Two commits became ${releases.join(' and ')}; DEV and TEST run the second. PRO ran both and is back on ${first}.`,
  );
  say(`    ${plural(world.mail.mails.length, 'mail')} went out. All of it took ${sinceStart()}.`);
}

/** The first commit, then whatever the person at the terminal, the page or the command line does. */
async function playAlong(world) {
  const { watch, urls, mail, url, password, tokens, repository } = world;
  commitChange(repository);
  await watch.until(async () => (await watch.latestBuild()) >= 1);
  const release = await watch.journey(1);
  const line = (name, text, note = '') =>
    say(`    ${paint('dim', name.padEnd(10))}${text}${note && paint('dim', `   ${note}`)}`);
  tell(marks.waiting, 'PRO', `waits for somebody to promote ${release}`);
  say('\n  Look at');
  line('Slipway', url, `sign in as admin (or rita, omar, dana) with ${password}`);
  line('mail', mail.url);
  for (const environment of ['DEV', 'TEST']) line(environment, urls[environment]);
  line('PRO', urls.PRO, 'once something is there');
  const as = (name, command) => say(`    SLIPWAY_TOKEN=${tokens[name]} ${command}   ${paint('dim', `as ${name}`)}`);
  say('\n  Or try, in another terminal');
  say(`    export SLIPWAY_URL=${url}; cd ${root}`);
  as('rita', `npx slipway promote ${PROJECT} ${release} PRO`);
  as('omar', `npx slipway approve ${PROJECT} PRO 1`);
  say(
    `    cd ${repository.folder} && sed -i 's/--sea: .*;/--sea: purple;/' web/harbour.css && git commit -am 'Purple sea'`,
  );
  await converse(world, { promote, rollBack });
}

/** As two people do it: rita asks, omar approves. */
async function promote({ url, tokens, watch }, release) {
  say(`\n  ${paint('bold', 'PRO')}  rita promotes ${release}`);
  const at = `/projects/${PROJECT}/environments/PRO/deployments`;
  const { number } = await apiOf(url, tokens.rita).post(at, { release, note: 'looks good in TEST' });
  await watch.deployment('PRO', number);
  await watch.mailAbout('APPROVE', release, 'PRO');
  await apiOf(url, tokens.omar).post(`${at}/${number}/approve`, { comment: 'looked at the diff' });
  tell(marks.passed, 'PRO   approved', `by omar: ${PEOPLE.omar.role}, and not the one who asked`);
  await watch.deployment('PRO', number);
  return number;
}

async function rollBack({ url, tokens, watch }) {
  say(`\n  ${paint('bold', 'PRO')}  rita rolls back`);
  const at = `/projects/${PROJECT}/environments/PRO/rollback`;
  const { number, release } = await apiOf(url, tokens.rita).post(at, { reason: 'the demo shows it' });
  await watch.deployment('PRO', number);
  tell(marks.passed, 'PRO   rolled back', `to ${release}, without a build`);
  return number;
}

function explain(thrown) {
  // A run that failed has been told with its log.
  if (thrown instanceof RunFailed) return;
  if (!(thrown instanceof ProgramFailed)) throw thrown;
  say(`\n  ${marks.failed} ${thrown.message}`);
  for (const line of thrown.said.trimEnd().split('\n').slice(-20)) say(`    ${paint('dim', '│')} ${line}`);
}

async function clearAway(docker, mail, stopped) {
  say(stopped ? '\n  Stopping.' : '');
  const since = Date.now();
  const end = begin('clearing away');
  await mail?.stop();
  const what = await sweep(docker);
  end();
  tell(marks.passed, 'cleared away', what, Date.now() - since);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await demo({ once: true });
