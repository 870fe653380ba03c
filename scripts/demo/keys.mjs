/** The second half of the demo: one line of input an action, and whatever happens by other ways is told, too. */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { marks, paint, say, tell } from '../terminal.mjs';
import { ApiFailed } from './api.mjs';
import { commitChange } from './project.mjs';
import { RunFailed } from './watch.mjs';

/** Until `q`, the end of the input of a terminal, or a signal. */
export async function converse(world, { promote, rollBack }) {
  const { watch, signal } = world;
  const wishes = [];
  const terminal = Boolean(process.stdin.isTTY);
  const input = terminal ? createInterface({ input: process.stdin }) : null;
  input?.on('line', (line) => wishes.push(line.trim().toLowerCase()));
  input?.on('close', () => wishes.push('q'));
  // What has been told. PRO may change by a command or the page, so it is looked at again, too.
  const seen = { build: await watch.latestBuild(), PRO: await watch.latestDeployment('PRO'), waiting: null };
  const deeds = {
    c: async () => void commitChange(world.repository),
    p: async () => {
      const test = await watch.current('TEST');
      const pro = await watch.current('PRO');
      if (test.release === pro?.release) tell(marks.note, 'PRO', `runs ${pro.release} already: c makes a commit first`);
      else seen.PRO = await promote(world, test.release);
    },
    r: async () => {
      seen.PRO = await rollBack(world);
    },
  };
  try {
    offer(terminal);
    while (!signal.aborted) {
      watch.tellMails();
      const wish = wishes.shift();
      if (wish === 'q') return;
      const busy = (await whatHappened()) || (wish !== undefined && (await grant(wish)));
      if (busy) offer(terminal);
      else await delay(250, undefined, { signal });
    }
  } finally {
    input?.close();
  }

  async function grant(wish) {
    const deed = deeds[wish];
    if (deed) await kindly(deed);
    // A commit is told when its build begins.
    return wish !== 'c';
  }

  /** Follows what came by itself: a build, a promotion, an approval. Answers whether there was anything. */
  async function whatHappened() {
    const build = await watch.latestBuild();
    if (build > seen.build) {
      seen.build += 1;
      await kindly(() => watch.journey(seen.build));
      return true;
    }
    const number = await watch.latestDeployment('PRO');
    const decided = seen.waiting !== null && (await watch.status('PRO', seen.waiting)).status !== 'waiting';
    if (!decided && number <= seen.PRO) return false;
    const next = decided ? seen.waiting : seen.PRO + 1;
    seen.PRO = Math.max(seen.PRO, next);
    seen.waiting = null;
    if (!decided) say(`\n  ${paint('bold', 'PRO')}  deployment ${next}`);
    await kindly(async () => {
      const run = await watch.deployment('PRO', next);
      if (run.status === 'waiting') seen.waiting = next;
    });
    return true;
  }
}

/** What fails here has been told, or is a sentence of the server's; the demo goes on. */
async function kindly(deed) {
  try {
    await deed();
  } catch (thrown) {
    if (thrown instanceof ApiFailed) tell(marks.failed, thrown.message);
    else if (!(thrown instanceof RunFailed)) throw thrown;
  }
}

function offer(terminal) {
  const key = (letter, what) => `${paint('bold', letter)} ${what}`;
  const keys = [key('c', 'commit a change'), key('p', 'promote to PRO'), key('r', 'roll PRO back'), key('q', 'stop')];
  say(
    terminal
      ? `\n  ${keys.join('   ')}   ${paint('dim', '(then Enter)')}`
      : '\n  Ctrl-C stops, and clears everything away.',
  );
}
