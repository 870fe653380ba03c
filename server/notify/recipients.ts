/** Who hears of what, decided in the transaction that makes it news. Rendering and sending come later. */
import type { BuildPlan, BuildRun, Change, DeploymentPlan, DeploymentRun, MailOn, Run } from '../../pipelines/model.ts';
import type { Tx } from '../ledger.ts';
import { owe, type Recipient } from '../store/outbox.ts';
import { changesSinceGood, lastBuild, planOf } from '../store/runs.ts';
import { memberAddresses, userByName } from '../store/users.ts';
import { isAddress } from './address.ts';
import type { MailKind } from './mail-input.ts';

const MAX_AUTHORS = 25;
const BOT = /\bno-?reply\b|\[bot\]|\bbot@/i;

export function mailAboutBuild(tx: Tx, run: BuildRun): void {
  if (run.result === 'cancelled') return;
  const { to, on } = (planOf(tx.db, run.id) as BuildPlan).notify.mail;
  const before = lastBuild(tx.db, run.pipelineId, run.branch, run.number, ['passed', 'failed', 'errored']);
  const broken = before !== undefined && before.result !== 'passed';
  const news = newsOfBuild(run, broken);
  if (!news || !on.includes(news)) return;
  const authors = authorsOf(news === 'fixed' || !broken ? changesSinceGood(tx.db, run).changes : run.changes);
  // Still failing: the lists know; only those who have added to it hear again.
  const lists = run.result !== 'passed' && broken ? [] : listed(to);
  const everyone = unique([...lists, ...authors, ...requester(tx, run)]);
  owe(tx.db, run.id, news, everyone.length > 0 || broken ? everyone : owners(tx, run), tx.now);
}

function newsOfBuild(run: BuildRun, broken: boolean): Extract<MailKind, 'failed' | 'fixed' | 'passed'> | null {
  if (run.result === 'passed') return broken ? 'fixed' : 'passed';
  return run.result === 'failed' || run.result === 'errored' ? 'failed' : null;
}

/** Deployments: asked for (`before` is what it was then) or ended. */
export function mailAboutDeployment(tx: Tx, run: DeploymentRun, before: Run | null): void {
  const { to, on } = (planOf(tx.db, run.id) as DeploymentPlan).notify.mail;
  const news = newsOfDeployment(run, before);
  if (!news) return;
  const wants: Record<string, MailOn[]> = {
    approval: ['approval'],
    deployed: ['deployed'],
    'rolled-back': ['deployed'],
    'deploy-failed': ['deployed', 'failed'],
  };
  if (!wants[news]?.some((each) => on.includes(each))) return;
  const recipients =
    news === 'approval' ? [...approvers(tx, run), ...listed(to)] : [...listed(to), ...requester(tx, run)];
  const everyone = unique(recipients);
  owe(tx.db, run.id, news, everyone.length > 0 ? everyone : owners(tx, run), tx.now);
}

function newsOfDeployment(
  run: DeploymentRun,
  before: Run | null,
): Extract<MailKind, 'approval' | 'deployed' | 'deploy-failed' | 'rolled-back'> | null {
  if (run.status === 'waiting') {
    const asked = (gates: DeploymentRun['gates']) => gates.some(({ gate, open }) => gate === 'approvals' && !open);
    const already = before?.kind === 'deployment' && asked(before.gates);
    return asked(run.gates) && !already ? 'approval' : null;
  }
  if (run.result === 'passed') return run.trigger === 'rollback' ? 'rolled-back' : 'deployed';
  return run.result === 'failed' || run.result === 'errored' ? 'deploy-failed' : null;
}

const listed = (to: readonly string[]): Recipient[] =>
  to.map((address) => ({ address, why: 'The pipeline lists this address under notify.mail.to.' }));

function authorsOf(changes: readonly Change[]): Recipient[] {
  const addresses = [...new Set(changes.map(({ email }) => email ?? ''))].filter(
    (email) => isAddress(email) && !BOT.test(email),
  );
  return addresses.slice(0, MAX_AUTHORS).map((address) => ({ address, why: 'One of your commits is in this build.' }));
}

function requester(tx: Tx, run: Run): Recipient[] {
  const email = run.requestedBy === null ? null : userByName(tx.db, run.requestedBy)?.email;
  return email ? [{ address: email, why: 'You asked for it.' }] : [];
}

const approvers = (tx: Tx, run: DeploymentRun): Recipient[] =>
  memberAddresses(tx.db, run.projectId, ['release-manager', 'admin']).map(({ email }) => ({
    address: email,
    why: 'You may approve deployments of this project.',
  }));

const owners = (tx: Tx, run: Run): Recipient[] =>
  memberAddresses(tx.db, run.projectId, ['admin']).map(({ email }) => ({
    address: email,
    why: 'You are an administrator of this project, and nobody else is listed.',
  }));

function unique(recipients: readonly Recipient[]): Recipient[] {
  const seen = new Set<string>();
  return recipients.filter(({ address }) => {
    const key = address.toLowerCase();
    return !seen.has(key) && seen.add(key);
  });
}
