/** The model as the API shows it: times as RFC 3339, durations as text, names instead of ids, and no secrets. */
import type { z } from 'zod';
import type {
  ApprovalRule,
  BuildRun,
  Change,
  Current,
  DeploymentRun,
  Environment,
  Release,
  Run,
} from '../pipelines/model.ts';
import { defaultBase } from './forge/target.ts';
import type * as schemas from './routes/schemas.ts';
import type { Diff, QueueItem, Services, StackState, StoredTest } from './services.ts';
import type { AuditLine } from './store/audit.ts';
import type { Pipeline } from './store/pipelines.ts';
import type { Project, StoredRegistry } from './store/projects.ts';
import type { Secret } from './store/secrets.ts';
import type { Token, User } from './store/users.ts';

type Shown<Schema extends keyof typeof schemas> = (typeof schemas)[Schema] extends infer S extends z.ZodType
  ? z.infer<S>
  : never;

export const time = (at: number): string => new Date(at).toISOString();
const timeOrNull = (at: number | null): string | null => (at === null ? null : time(at));

/** `1h30m`; the inverse of `parseDuration`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts.map(([count, unit]) => (count > 0 ? `${count}${unit}` : '')).join('') || '0s';
}

/** A page of a list; `next` is there when there may be more. */
export function page<T, S>(
  items: readonly T[],
  limit: number,
  cursor: (item: T) => number,
  show: (item: T) => S,
): { items: S[]; next?: number } {
  const last = items.length === limit ? items.at(-1) : undefined;
  return { items: items.map(show), ...(last === undefined ? {} : { next: cursor(last) }) };
}

export const user = (u: User): Shown<'User'> => ({
  name: u.name,
  email: u.email,
  admin: u.admin,
  hasPassword: u.hasPassword,
  createdAt: time(u.createdAt),
});

export const token = (t: Token): Shown<'Token'> => ({
  id: t.id,
  name: t.name,
  scopes: t.scopes,
  createdAt: time(t.createdAt),
  expires: timeOrNull(t.expiresAt),
  lastUsedAt: timeOrNull(t.lastUsedAt),
});

export const project = (p: Project): Shown<'Project'> => ({ slug: p.slug, name: p.name, createdAt: time(p.createdAt) });
export const secret = (s: Secret): Shown<'Secret'> => ({
  name: s.name,
  branches: s.branches,
  updatedAt: time(s.updatedAt),
});

export function pipeline(p: Pipeline, last: BuildRun | undefined): Shown<'Pipeline'> {
  return {
    name: p.name,
    source: {
      ...p.source,
      submodules: p.source.submodules ?? false,
      lfs: p.source.lfs ?? false,
      hosts: p.source.hosts ?? [],
      link: p.source.link ?? null,
      hasCredentials: p.hasCredentials,
    },
    file: p.file,
    definition: p.definition,
    poll: p.poll,
    hasHookSecret: p.hasHookSecret,
    status: p.status && { ...p.status, url: p.status.url ?? defaultBase(p.source.url) ?? '' },
    createdAt: time(p.createdAt),
    lastBuild: last ? { number: last.number, status: last.status, result: last.result } : null,
  };
}

export function environment(
  e: Environment,
  more: { hasTls: boolean; registry: StoredRegistry | null; stacks: Shown<'Stack'>[] },
): Shown<'Environment'> {
  return {
    name: e.name,
    order: e.order,
    engine: { kind: e.engine.kind, host: e.engine.host, hasTls: more.hasTls },
    after: e.after,
    promote: e.promote,
    branches: e.branches,
    approvals: e.approvals && approvals(e.approvals),
    freezes: e.freezes.map(({ duration: length, ...freeze }) => ({
      ...freeze,
      ...(length ? { duration: duration(length) } : {}),
    })),
    variables: e.variables,
    registry: more.registry,
    pool: e.pool,
    url: e.url,
    timeout: duration(e.timeout),
    keep: e.keep,
    policy: e.policy,
    stacks: more.stacks,
  };
}

const approvals = ({ expires, ...rule }: ApprovalRule) => ({
  ...rule,
  ...(expires ? { expires: duration(expires) } : {}),
});

// ---- runs --------------------------------------------------------------------------------------------------------------

export const change = (c: Change): Shown<'Change'> => ({
  revision: c.revision,
  author: c.author,
  email: c.email,
  message: c.message,
  at: time(c.at),
  ...(c.files ? { files: c.files } : {}),
  ...(c.moreFiles ? { moreFiles: true } : {}),
  ...(c.source === undefined ? {} : { source: c.source }),
  ...(c.url === undefined ? {} : { url: c.url }),
});

const run = (r: Run, slug: string) => ({
  project: slug,
  number: r.number,
  status: r.status,
  result: r.result,
  reason: r.reason,
  trigger: r.trigger,
  requestedBy: r.requestedBy,
  attempt: r.attempt,
  runner: r.runner,
  steps: r.steps.map((s) => ({
    name: s.name,
    kind: s.kind,
    needs: s.needs,
    allowFailure: s.allowFailure,
    status: s.status,
    result: s.result,
    reason: s.reason,
    attempt: s.attempt,
    exitCode: s.exitCode,
    startedAt: timeOrNull(s.startedAt),
    finishedAt: timeOrNull(s.finishedAt),
  })),
  queuedAt: time(r.queuedAt),
  startedAt: timeOrNull(r.startedAt),
  finishedAt: timeOrNull(r.finishedAt),
});

export const build = (r: BuildRun, slug: string, pipelineName: string): Shown<'Build'> => ({
  ...run(r, slug),
  pipeline: pipelineName,
  branch: r.branch,
  revision: r.revision,
  parameters: r.parameters,
  changes: r.changes.map(change),
  // Builds of before there was such a field list all of theirs.
  moreChanges: r.moreChanges ?? false,
  images: r.images,
  version: r.version,
  release: r.release,
});

export const deployment = (r: DeploymentRun, slug: string, environmentName: string): Shown<'Deployment'> => ({
  ...run(r, slug),
  environment: environmentName,
  stack: r.stack,
  release: r.release,
  note: r.note,
  at: timeOrNull(r.at),
  gates: r.gates,
  approvals: r.approvals.map(({ by, decision, comment, at }) => ({ by, decision, comment, at: time(at) })),
  before: r.before,
  after: r.after,
  restored: r.restored,
});

export function tests(found: readonly StoredTest[]): Shown<'Tests'> {
  const count = (result: StoredTest['result']) => found.filter((test) => test.result === result).length;
  return {
    total: found.length,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    items: found.map(({ step, suite, name, result, seconds, message, since }) => ({
      step,
      suite,
      name,
      result,
      seconds,
      ...(message === undefined ? {} : { message }),
      ...(since === undefined ? {} : { since }),
    })),
  };
}

// ---- releases and what runs where ----------------------------------------------------------------------------------------

export const release = (r: Release, pipelineName: string): Shown<'Release'> => ({
  stack: r.stack,
  version: r.version,
  pipeline: pipelineName,
  build: r.build,
  branch: r.branch,
  revision: r.revision,
  images: r.content.images,
  compose: r.content.compose,
  overrides: r.content.overrides,
  files: r.content.files,
  verify: r.verify.map(({ name }) => name),
  blocked: r.blocked && { ...r.blocked, at: time(r.blocked.at) },
  createdAt: time(r.createdAt),
});

export const current = ({ release: version, deployment: number, since, services }: Current) => ({
  release: version,
  deployment: number,
  since: time(since),
  services,
});

/** `current` bears the images of its release. */
export function stack(s: StackState, projectId: number, releases: Services['releases']): Shown<'Stack'> {
  const images = s.current ? (releases.get(projectId, s.name, s.current.release)?.content.images ?? []) : [];
  return {
    name: s.name,
    current: s.current && { ...current(s.current), images },
    hold: s.hold && { ...s.hold, at: time(s.hold.at) },
    lock: s.lock && { deployment: s.lock.deployment, since: time(s.lock.takenAt) },
    observed: s.observed && { at: time(s.observed.at), services: s.observed.services },
  };
}

export const diff = (d: Diff): Shown<'Diff'> => ({ ...d, changes: d.changes.map(change) });

// ---- the whole server ----------------------------------------------------------------------------------------------------

export const queueItem = (q: QueueItem, slug: string): Shown<'QueueItem'> => ({
  kind: q.kind,
  project: slug,
  pipeline: q.kind === 'build' ? q.owner : null,
  environment: q.kind === 'build' ? null : q.owner,
  number: q.number,
  status: q.status,
  reason: q.reason,
  pool: q.pool,
  runner: q.runner,
  queuedAt: time(q.queuedAt),
  startedAt: timeOrNull(q.startedAt),
});

export const auditLine = (line: AuditLine, slug: string | null): Shown<'AuditLine'> => ({
  id: line.id,
  at: time(line.at),
  actor: line.actor,
  action: line.action,
  project: slug,
  target: line.target,
  data: line.data,
});
