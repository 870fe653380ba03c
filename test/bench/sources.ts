/** Watching: what polling costs, how soon a hook becomes a build, how many hooks are taken, and what a checkout costs. */
import { execFileSync } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GitScm } from '../../runner/tools/git.ts';
import { commit, defineRepo, removeFolder, tempFolder } from '../fixtures/git-server.ts';
import { startSlipway } from '../fixtures/slipway.ts';
import { fifoWrites } from './fifo.ts';
import { type Installation, serverPid } from './installation.ts';
import { inTurns, percentile, spread, timed } from './measure.ts';
import type { Bench, Row } from './row.ts';
import { shell } from './shell.ts';

const REPOSITORIES = 100;
const PIPELINES = 1_000;
const HOOKS = 5_000;
const SECRET = 'the hook secret of the bench';
const NEVER = '0 0 29 2 *';
const FILE = 'steps: { now: { host: true, run: ["true"] } }\n';

export const polling: Bench = {
  name: 'polling',
  async measure(): Promise<Row[]> {
    const folder = tempFolder();
    const slipway = await startSlipway({ SLIPWAY_RUNNER_SLOTS: '0' });
    try {
      await slipway.api('PUT', '/projects/poll', { name: 'Poll' });
      const urls = Array.from({ length: REPOSITORIES }, (_, index) => repositoryOf(index, folder));
      for (let index = 0; index < PIPELINES; index += 1) {
        const source = urls[index % REPOSITORIES];
        await slipway.api('PUT', `/projects/poll/pipelines/p${index}`, { source, definition: FILE, poll: '* * * * *' });
      }
      const pid = serverPid(slipway);
      const shares: number[] = [];
      for (let minute = 0; minute < 3; minute += 1) {
        const before = cpuSeconds(pid);
        await new Promise((resolve) => setTimeout(resolve, 60_000));
        shares.push(((cpuSeconds(pid) - before) / 60) * 100);
      }
      const share = spread(shares);
      return [
        {
          name: 'polling',
          work: `${PIPELINES} pipelines on ${REPOSITORIES} repositories (half Git, half SVN), polled every minute`,
          bare: spread([shareOfScript(urls)]),
          ours: share,
          unit: '%',
          figure: { kind: '%', value: share.median, atMost: 10 },
          notes: [
            'of one core: the server and the programs it starts, over three minutes in which nothing moves',
            'bare: a shell that asks each repository once a minute, whichever pipelines watch it',
          ],
        },
      ];
    } finally {
      await slipway.stop();
      removeFolder(folder);
    }
  },
};

function repositoryOf(index: number, folder: string): { kind: string; url: string; branches: string[] } {
  if (index % 2 === 0) return { kind: 'git', url: defineRepo(undefined, folder).url, branches: ['main'] };
  const dir = mkdtempSync(join(folder, 'svn-'));
  execFileSync('svnadmin', ['create', dir]);
  execFileSync('svn', ['mkdir', '-q', '--non-interactive', '-m', 'layout', `file://${dir}/trunk`]);
  return { kind: 'svn', url: `file://${dir}`, branches: ['trunk'] };
}

/** Of one core, in per cent, over a minute: what it takes a shell to ask each of them once. */
function shareOfScript(sources: readonly { kind: string; url: string }[]): number {
  const questions = sources.map(({ kind, url }) =>
    kind === 'git' ? `git ls-remote --heads -- ${url}` : `svn info --non-interactive --show-item revision ${url}`,
  );
  const script = `{ ${questions.join('; ')}; } > /dev/null; cat /proc/$$/stat`;
  const stat = execFileSync('sh', ['-e', '-c', script], { encoding: 'utf8' });
  return (ticksIn(stat) / 100 / 60) * 100;
}

/** Of a process and the children it has waited for; see proc_pid_stat(5). */
function cpuSeconds(pid: number): number {
  return ticksIn(readFileSync(`/proc/${pid}/stat`, 'utf8')) / 100;
}

function ticksIn(stat: string): number {
  const fields = stat.replace(/^.*\) /s, '').split(' ');
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
}

// ---- hooks -----------------------------------------------------------------------------------------------------------

export const hook: Bench = {
  name: 'hook',
  async measure({ installation, runs }): Promise<Row[]> {
    const made = await installation();
    const folder = tempFolder();
    const { fifo, next, close } = fifoWrites(folder);
    const script = `echo . > ${fifo}`;
    const bare = pushTarget(folder, 'bare', `#!/bin/sh\nsh -e -c '${script}'\n`);
    const ours = pushTarget(folder, 'ours', '', `steps: { now: { host: true, run: ["${script}"] } }\n`);
    const source = { kind: 'git', url: `file://${ours.dir}`, branches: ['main'] };
    await made.slipway.api('PUT', '/projects/bench/pipelines/hook', { source, hookSecret: SECRET, poll: NEVER });
    ours.install(sender(made));
    const pushed = async ({ push }: ReturnType<typeof pushTarget>) => {
      const first = next();
      const taken = timed(() => first);
      await push();
      return taken;
    };
    try {
      const compared = await inTurns(
        runs,
        () => pushed(bare),
        async () => {
          const finished = made.events.next(({ kind, status }) => kind === 'build' && status === 'finished');
          const taken = await pushed(ours);
          await finished;
          return taken;
        },
      );
      const more = compared.ours.median - compared.bare.median;
      return [
        {
          name: 'hook',
          work: 'git push → first instruction, by a post-receive hook',
          bare: compared.bare,
          ours: compared.ours,
          unit: 'ms',
          figure: { kind: 'ms more', value: more, atMost: 40 },
          notes: ['bare: the hook runs the script itself; Slipway: it is told by curl, fetches, checks out, runs'],
        },
      ];
    } finally {
      close();
      removeFolder(folder);
    }
  },
};

/** A bare repository with a hook, and a clone of it to push from. */
function pushTarget(folder: string, name: string, text: string, file = FILE) {
  const repo = defineRepo({ 'slipway.yml': file }, folder);
  const dir = join(folder, `${name}.git`);
  execFileSync('git', ['clone', '-q', '--bare', repo.dir, dir]);
  const install = (hookText: string) => {
    mkdirSync(join(dir, 'hooks'), { recursive: true });
    writeFileSync(join(dir, 'hooks', 'post-receive'), hookText);
    chmodSync(join(dir, 'hooks', 'post-receive'), 0o755);
  };
  if (text) install(text);
  let count = 0;
  const push = () => {
    count += 1;
    commit(repo, { 'count.txt': `${count}\n` });
    return shell(`git -C ${repo.dir} push -q ${dir} main`);
  };
  return { dir, install, push };
}

/** Signed beforehand: the figure is the server's, not that of a shell that computes an HMAC. */
function sender({ slipway }: Installation): string {
  const body = '{"ref":"refs/heads/main","before":"","after":""}'.replace(/""/g, `"${'1'.repeat(40)}"`);
  const headers = [
    'Content-Type: application/json',
    'X-GitHub-Event: push',
    `X-Hub-Signature-256: sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
  ].map((each) => `-H '${each}'`);
  const url = `${slipway.url}/hooks/github/bench/hook`;
  const delivery = '-H "X-GitHub-Delivery: $(cat /proc/sys/kernel/random/uuid)"';
  return `#!/bin/sh\ncurl -s -o /dev/null ${headers.join(' ')} ${delivery} -d '${body}' ${url} &\n`;
}

export const hookFlood: Bench = {
  name: 'hook-flood',
  async measure({ installation }): Promise<Row[]> {
    const { slipway, repo } = await installation();
    const source = { kind: 'git', url: repo.url, branches: ['main'] };
    const body = { source, definition: FILE, hookSecret: SECRET, poll: NEVER };
    await slipway.api('PUT', '/projects/bench/pipelines/flood', body);
    const taken: number[] = [];
    const sending: Promise<void>[] = [];
    const start = performance.now();
    for (let index = 0; index < HOOKS; index += 1) {
      const due = start + (index * 60_000) / HOOKS;
      if (due > performance.now()) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
      sending.push(timed(() => send(slipway.url)).then((ms) => void taken.push(ms)));
    }
    await Promise.all(sending);
    const sorted = taken.sort((a, b) => a - b);
    const p99 = percentile(sorted, 99);
    return [
      {
        name: 'hook-flood',
        work: `${HOOKS} signed hooks in a minute: how long each waits for its answer`,
        bare: null,
        ours: spread(sorted),
        unit: 'ms',
        figure: { kind: 'ms', value: p99, atMost: 500 },
        notes: ['the figure is the 99th percentile; every hook is on disk when it is answered'],
      },
    ];
  },
};

async function send(url: string): Promise<void> {
  const body = JSON.stringify({ ref: 'refs/heads/main', before: '1'.repeat(40), after: '2'.repeat(40) });
  const response = await fetch(`${url}/hooks/github/bench/flood`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    },
    body,
  });
  if (response.status !== 202) throw new Error(`a hook was answered with ${response.status}`);
  await response.arrayBuffer();
}

// ---- checkouts ---------------------------------------------------------------------------------------------------------

const COMMITS = 25_000;

export const checkout: Bench = {
  name: 'checkout',
  async measure({ runs }): Promise<Row[]> {
    const folder = tempFolder();
    const dir = join(folder, 'big.git');
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', dir]);
    execFileSync('git', ['--git-dir', dir, 'fast-import', '--quiet'], { input: bigHistory() });
    execFileSync('git', ['--git-dir', dir, 'gc', '-q']);
    const revision = execFileSync('git', ['--git-dir', dir, 'rev-parse', 'main'], { encoding: 'utf8' }).trim();
    const scm = new GitScm({ allowFile: true, caFile: null, timeoutMs: 60_000 });
    const source = { kind: 'git' as const, url: `file://${dir}`, branches: ['main'] };
    const checkOut = (cache: string) => {
      const into = mkdtempSync(join(folder, 'workspace-'));
      const access = { source, credentials: null, cache };
      const at = { branch: 'main', revision };
      return timed(() => scm.checkout(access, at, into, new AbortController().signal)).finally(() =>
        removeFolder(into),
      );
    };
    const clone = () => {
      const into = mkdtempSync(join(folder, 'clone-'));
      return timed(() => shell(`git clone -q file://${dir} ${into}/clone`)).finally(() => removeFolder(into));
    };
    const warm = join(folder, 'warm');
    try {
      const first = await inTurns(runs, clone, () => checkOut(mkdtempSync(join(folder, 'cold-'))));
      const next = await inTurns(runs, clone, () => checkOut(warm));
      const row = (name: string, work: string, { bare, ours, ratio }: typeof first, atMost: number): Row => ({
        name,
        work,
        bare,
        ours,
        unit: 'ms',
        figure: { kind: 'ratio', value: ratio, atMost },
        notes: [],
      });
      const what = `of a repository of ${COMMITS.toLocaleString('en')} commits, beside git clone`;
      return [
        row('first-checkout', `the first checkout ${what}`, first, 1.1),
        row('next-checkout', `a further checkout ${what}`, next, 0.3),
      ];
    } finally {
      removeFolder(folder);
    }
  },
};

/** A history for `git fast-import`: 200 files, each commit changes one. */
function bigHistory(): string {
  const lines = ['reset refs/heads/main'];
  for (let index = 0; index < COMMITS; index += 1) {
    const text = `${index} ${'x'.repeat(index % 200)}\n`.repeat(20);
    const message = `commit ${index}`;
    lines.push(
      'commit refs/heads/main',
      `committer Dev <dev@example.com> ${1_700_000_000 + index} +0000`,
      `data ${message.length}`,
      message,
      `M 100644 inline src/${index % 20}/${index % 200}.txt`,
      `data ${text.length}`,
      text,
    );
  }
  return `${lines.join('\n')}\ndone\n`;
}
