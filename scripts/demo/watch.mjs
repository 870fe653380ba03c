/** Follows runs through the API, and tells each step as it ends. */
import { setTimeout as delay } from 'node:timers/promises';
import { begin, marks, paint, say, tell } from '../terminal.mjs';
import { plural } from './home.mjs';
import { PIPELINE, PROJECT } from './project.mjs';

const POLL_MS = 150;
const BUILDS = `/projects/${PROJECT}/pipelines/${PIPELINE}/builds`;
const deploymentsOf = (environment) => `/projects/${PROJECT}/environments/${environment}/deployments`;

/** A build or deployment that did not pass; everything to know has been told. */
export class RunFailed extends Error {}

/** `heard` are the mails that came in: `{ subject, to: [], told }`. */
export function watchOf(api, heard, signal) {
  /** What `look` finds, as soon as it finds something. */
  async function until(look) {
    for (;;) {
      const found = await look();
      if (found) return found;
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Tells the steps of the run at `path` until it has finished, or waits for a person. */
  async function follow(path, label) {
    const told = new Set();
    let shown = { text: null, end: () => {} };
    const show = (text) => {
      if (shown.text === text) return;
      shown.end();
      shown = { text, end: text ? begin(text) : () => {} };
    };
    try {
      return await until(async () => {
        const run = await api.get(path);
        for (const step of run.steps) {
          if (step.status !== 'finished' || told.has(step.name) || isNoNews(step)) continue;
          told.add(step.name);
          await tellStep(api, path, label, run, step);
        }
        const running = run.steps.find(({ status }) => status === 'running');
        show(run.status === 'finished' ? null : `${label} ${running?.name ?? run.status}`);
        return run.status === 'finished' || waitsForPeople(run) ? run : null;
      });
    } finally {
      shown.end();
    }
  }

  async function build(number) {
    const path = `${BUILDS}/${number}`;
    const found = await api.get(path);
    const [change] = found.changes;
    say();
    say(
      `  ${paint('bold', `#${number}`)}  ${change ? `${change.author} commits “${change.message.split('\n')[0]}”` : found.trigger}  ${paint('dim', found.revision.slice(0, 8))}`,
    );
    const run = await passedOr(api, path, await follow(path, 'build'));
    tell(marks.passed, 'build release', `${run.release}: these images, the compose file, the smoke test`);
    return run;
  }

  async function deployment(environment, number) {
    const path = `${deploymentsOf(environment)}/${number}`;
    const run = await follow(path, environment);
    if (run.status !== 'finished') {
      tell(
        marks.waiting,
        environment,
        run.gates
          .filter(({ open }) => !open)
          .map(({ message }) => message)
          .join(' '),
      );
      return run;
    }
    await passedOr(api, path, run);
    await mailAbout(run.trigger === 'rollback' ? 'ROLLED BACK' : 'DEPLOYED', run.release, environment);
    return run;
  }

  /** Mail is sent beside the work: it is waited for, so that it is told where it belongs, but not for long. */
  async function mailAbout(word, release, environment) {
    const patience = Date.now() + 10_000;
    const isIt = ({ subject }) => [word, release, environment].every((part) => subject.includes(part));
    await until(() => heard.some(isIt) || Date.now() > patience);
    tellMails();
  }

  function tellMails() {
    for (const mail of heard.filter(({ told }) => !told)) {
      mail.told = true;
      tell(marks.mail, `mail  ${mail.subject}`, paint('dim', `to ${mail.to.join(', ')}`));
    }
  }

  /** The deployment of a release that follows by itself. */
  const arrival = (environment, release) =>
    until(async () => (await api.get(deploymentsOf(environment))).items.find((item) => item.release === release));

  return {
    build,
    deployment,
    mailAbout,
    tellMails,
    until,
    /** A build, and where it goes by itself. Answers the release. */
    async journey(number) {
      const { release } = await build(number);
      for (const environment of ['DEV', 'TEST'])
        await deployment(environment, (await arrival(environment, release)).number);
      return release;
    },
    latestBuild: async () => (await api.get(`${BUILDS}?limit=1`)).items[0]?.number ?? 0,
    latestDeployment: async (environment) => (await api.get(deploymentsOf(environment))).items[0]?.number ?? 0,
    status: (environment, number) => api.get(`${deploymentsOf(environment)}/${number}`),
    current: async (environment) =>
      (await api.get(`/projects/${PROJECT}/environments/${environment}`)).stacks[0]?.current ?? null,
  };
}

const isNoNews = ({ kind, result }) => result === 'skipped' || (kind === 'inspect' && result === 'passed');

const waitsForPeople = ({ status, gates = [] }) =>
  status === 'waiting' && gates.some(({ gate, open }) => gate === 'approvals' && !open);

async function tellStep(api, path, label, run, step) {
  const mark = step.result === 'passed' ? marks.passed : marks.failed;
  const time = Date.parse(step.finishedAt) - Date.parse(step.startedAt);
  tell(mark, `${label.padEnd(5)} ${step.name}`, await wordsOf(api, path, run, step), time);
}

async function wordsOf(api, path, run, step) {
  if (step.result !== 'passed') return step.result;
  if (step.kind === 'image') return `${plural(run.images.length, 'image')} built and pushed`;
  if (step.name === 'restore') return 'what ran before is back';
  if (step.kind === 'deploy') return `${run.release} is up: healthy, and of the digests that were built`;
  const { items } = await api.get(`${path}/tests`);
  const tests = items.filter((test) => test.step === step.name || test.step === undefined);
  return tests.length > 0 && step.kind !== 'inspect' ? `${plural(tests.length, 'test')} passed` : '';
}

/** The run where it has passed; else tells the failing step, why, and the end of its log. */
async function passedOr(api, path, run) {
  if (run.result === 'passed') return run;
  const step = run.steps.find(({ result }) => result === 'failed' || result === 'errored');
  say();
  say(`  ${marks.failed} ${step ? `${step.name} ${run.result}` : run.result}: ${run.reason ?? 'no reason given'}`);
  if (step) {
    const log = await api.text(`${path}/steps/${step.name}/log`).catch(() => '');
    for (const line of log.trimEnd().split('\n').slice(-20)) say(`    ${paint('dim', '│')} ${line}`);
  }
  throw new RunFailed(run.reason ?? run.result);
}
