/**
 * Whether a deployment may go, and if not, why: every closed gate is a sentence that names the gate, who can open it, and when.
 * Pure; judged when a deployment is asked for, again at every change, and once more when the lock is taken.
 */
import { Cron } from 'croner';
import { matchesBranch } from './branches.ts';
import type {
  Approval,
  ApprovalRule,
  DeploymentRun,
  Environment,
  Freeze,
  Gate,
  GateName,
  Release,
  Role,
} from './model.ts';

export interface GateInput {
  now: number;
  environment: Environment;
  release: Pick<Release, 'version' | 'branch' | 'blocked'>;
  deployment: Pick<DeploymentRun, 'number' | 'trigger' | 'approvals' | 'requestedBy' | 'at' | 'stack' | 'override'>;
  /** Environments this release has passed. */
  passedIn: ReadonlySet<string>;
  /** Number of the deployment that is current in the target now. */
  current: number | null;
  /** Number of the deployment that holds the lock, if it is another one. */
  lockedBy: number | null;
  /** Images that the registry has said it no longer has; null where nobody asked it. */
  missing: readonly string[] | null;
}

/** All gates that apply, open ones too, in the order they are judged. A rollback is an emergency: only the lock and the block hold it. */
export function evaluateGates(input: GateInput): Gate[] {
  const rollback = input.deployment.trigger === 'rollback';
  const gates: (Gate | null)[] = [
    blocked(input),
    rollback ? null : branch(input),
    rollback ? null : after(input),
    rollback ? null : approvals(input),
    rollback ? null : freeze(input),
    digests(input),
    at(input),
    lock(input),
  ];
  return gates.filter((gate) => gate !== null);
}

export const closedGates = (gates: readonly Gate[]): Gate[] => gates.filter((gate) => !gate.open);

const open = (gate: GateName, message: string): Gate => ({ gate, open: true, waits: false, message });
/** Waiting cannot help: asking is refused. */
const refuses = (gate: GateName, message: string): Gate => ({ gate, open: false, waits: false, message });
const holds = (gate: GateName, message: string): Gate => ({ gate, open: false, waits: true, message });

function blocked({ release }: GateInput): Gate {
  if (!release.blocked) return open('blocked', `Release ${release.version} is not blocked.`);
  const { by, reason } = release.blocked;
  return refuses(
    'blocked',
    `Release ${release.version} was blocked by ${by}: ${reason}. A release manager can unblock it.`,
  );
}

function branch({ environment, release }: GateInput): Gate | null {
  if (!environment.branches) return null;
  if (matchesBranch(environment.branches, release.branch))
    return open('branch', `Branch ${release.branch} may come to ${environment.name}.`);
  const allowed = environment.branches.join(', ');
  return refuses(
    'branch',
    `${environment.name} takes releases of ${allowed}; this one is of ${release.branch}. An administrator of the project can change that.`,
  );
}

function after({ environment, release, passedIn, deployment }: GateInput): Gate | null {
  if (environment.after.length === 0) return null;
  const missing = environment.after.filter((name) => !passedIn.has(name));
  if (missing.length === 0)
    return open('after', `Release ${release.version} has passed ${environment.after.join(' and ')}.`);
  const { override } = deployment;
  if (override)
    return open('after', `${override.by} overrides that ${missing.join(' and ')} was not passed: ${override.reason}`);
  return refuses(
    'after',
    `Release ${release.version} has not passed ${missing.join(' and ')} yet: deploy it there first.`,
  );
}

/** Approvals that still count: of the state that runs now. An approval of something else is void. */
export const validApprovals = (given: readonly Approval[], current: number | null): Approval[] =>
  given.filter((approval) => approval.decision === 'approved' && approval.baseline === current);

function approvals({ environment, deployment, current }: GateInput): Gate | null {
  const rule = environment.approvals;
  if (!rule || rule.count === 0) return null;
  const valid = validApprovals(deployment.approvals, current);
  const names = valid.map((approval) => approval.by).join(', ');
  if (valid.length >= rule.count) return open('approvals', `Approved by ${names}.`);
  const isVoid =
    deployment.approvals.length > valid.length
      ? ` What runs in ${environment.name} has changed since an approval, so it no longer counts.`
      : '';
  const so = valid.length > 0 ? ` (so far ${names})` : '';
  return holds(
    'approvals',
    `${valid.length} of ${rule.count} approvals${so}: ${whoMayApprove(rule)} can approve.${isVoid}`,
  );
}

export function whoMayApprove(rule: ApprovalRule): string {
  const who = [...(rule.users ?? []), ...(rule.roles ?? []).map((role) => `any ${role}`)];
  return who.length > 0 ? who.join(' or ') : 'any release-manager';
}

/** Why this person's approval would not count, or null where it does. */
export function approvalRefusal(
  rule: ApprovalRule | null,
  person: { name: string; role: Role | null; admin: boolean },
  requestedBy: string | null,
): string | null {
  if (rule && !rule.allowRequester && person.name === requestedBy)
    return 'Your own request cannot be approved by yourself: ask somebody else.';
  if (!rule || (!rule.users && !rule.roles)) return null;
  if (rule.users?.includes(person.name)) return null;
  if (rule.roles && (person.admin || (person.role && rule.roles.includes(person.role)))) return null;
  return `Only ${whoMayApprove(rule)} can approve here.`;
}

function freeze({ environment, now }: GateInput): Gate | null {
  if (environment.freezes.length === 0) return null;
  const active = environment.freezes
    .map((each) => ({ each, until: frozenUntil(each, now) }))
    .find(({ until }) => until !== null);
  if (!active) return open('freeze', `${environment.name} is not frozen.`);
  return holds(
    'freeze',
    `${environment.name} is frozen (${active.each.name}) until ${new Date(active.until as number).toISOString()}. It goes by itself then.`,
  );
}

/** The end of the window that `now` is in, or null. */
export function frozenUntil(window: Freeze, now: number): number | null {
  if (window.cron !== undefined && window.duration !== undefined) {
    const cron = new Cron(window.cron, { timezone: window.timezone ?? 'UTC', paused: true });
    const started = cron.nextRun(new Date(now - window.duration));
    return started && started.getTime() <= now ? started.getTime() + window.duration : null;
  }
  if (window.from === undefined || window.until === undefined) return null;
  const until = Date.parse(window.until);
  return now >= Date.parse(window.from) && now < until ? until : null;
}

function digests({ missing, release }: GateInput): Gate | null {
  if (missing === null) return null;
  if (missing.length === 0) return open('digests', 'The registry has every image of it.');
  const gone = missing.join(', ');
  return refuses(
    'digests',
    `The registry no longer has ${gone} of ${release.version}: build it again, and release that.`,
  );
}

function at({ deployment, now }: GateInput): Gate | null {
  if (deployment.at === null) return null;
  const when = new Date(deployment.at).toISOString();
  return now >= deployment.at ? open('at', `It was to go at ${when}.`) : holds('at', `It goes at ${when}.`);
}

function lock({ lockedBy, environment, deployment }: GateInput): Gate {
  if (lockedBy === null) return open('lock', `Nothing else is being deployed to ${environment.name}.`);
  return holds(
    'lock',
    `Deployment #${lockedBy} of ${deployment.stack} to ${environment.name} is under way; this one follows.`,
  );
}
