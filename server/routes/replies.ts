/** What the API gives. */
import { z } from 'zod';
import { POLICY, Result, RoleName, Scopes, Status, Time, TriggerName } from './words.ts';

export const User = z
  .object({
    name: z.string(),
    email: z.string().nullable(),
    admin: z.boolean(),
    hasPassword: z.boolean(),
    createdAt: Time,
  })
  .meta({ id: 'User' });

export const Me = z
  .object({
    name: z.string(),
    email: z.string().nullable(),
    admin: z.boolean(),
    projects: z.array(z.object({ slug: z.string(), name: z.string(), role: RoleName })),
  })
  .meta({ id: 'Me' });

export const Token = z
  .object({
    id: z.number(),
    name: z.string(),
    scopes: Scopes,
    createdAt: Time,
    expires: Time.nullable(),
    lastUsedAt: Time.nullable(),
  })
  .meta({ id: 'Token' });

export const NewToken = Token.extend({ token: z.string().meta({ description: 'Shown this once' }) }).meta({
  id: 'NewToken',
});

export const Project = z.object({ slug: z.string(), name: z.string(), createdAt: Time }).meta({ id: 'Project' });
export const Member = z.object({ user: z.string(), role: RoleName }).meta({ id: 'Member' });
export const Registry = z
  .object({ url: z.string(), username: z.string().nullable(), hasPassword: z.boolean(), insecure: z.boolean() })
  .meta({ id: 'Registry' });

export const Secret = z
  .object({ name: z.string(), branches: z.array(z.string()).nullable(), updatedAt: Time })
  .meta({ id: 'Secret' });

export const Change = z
  .object({
    revision: z.string(),
    author: z.string().nullable(),
    email: z.string().nullable(),
    message: z.string(),
    at: Time,
    files: z.array(z.string()).optional(),
    moreFiles: z.boolean().optional().meta({ description: 'Whether it touched more than are listed' }),
    source: z.string().optional().meta({ description: 'The further source it is of' }),
    url: z.string().optional().meta({ description: 'Its page, by the template of the source' }),
  })
  .meta({ id: 'Change' });

export const ChangesSince = z
  .object({
    items: z.array(Change),
    moreChanges: z.boolean(),
    since: z.number().nullable().meta({ description: 'The build that passed; null where none has' }),
  })
  .meta({ id: 'ChangesSince' });

const Step = z
  .object({
    name: z.string(),
    kind: z.enum(['run', 'image', 'inspect', 'deploy', 'verify']),
    needs: z.array(z.string()),
    allowFailure: z.boolean(),
    status: z.enum(['waiting', 'running', 'finished']),
    result: z.enum([...Result.options, 'skipped']).nullable(),
    reason: z.string().nullable(),
    attempt: z.number(),
    exitCode: z.number().nullable(),
    startedAt: Time.nullable(),
    finishedAt: Time.nullable(),
  })
  .meta({ id: 'Step' });

const runShape = {
  project: z.string(),
  number: z.number(),
  status: Status,
  result: Result.nullable(),
  reason: z.string().nullable(),
  trigger: TriggerName,
  requestedBy: z.string().nullable(),
  attempt: z.number(),
  runner: z.string().nullable(),
  steps: z.array(Step),
  queuedAt: Time,
  startedAt: Time.nullable(),
  finishedAt: Time.nullable(),
};

const ImageRef = z.object({ name: z.string(), reference: z.string(), digest: z.string() });
export const Build = z
  .object({
    ...runShape,
    pipeline: z.string(),
    branch: z.string(),
    revision: z.string(),
    parameters: z.record(z.string(), z.string()),
    changes: z.array(Change),
    moreChanges: z.boolean().meta({ description: 'Whether there are more than are listed' }),
    images: z.array(ImageRef.extend({ tags: z.array(z.string()), size: z.number(), service: z.string().optional() })),
    version: z.string(),
    release: z.string().nullable(),
  })
  .meta({ id: 'Build' });

const Gate = z
  .object({ gate: z.string(), open: z.boolean(), waits: z.boolean(), message: z.string() })
  .meta({ id: 'Gate' });
const ObservedService = z.object({
  name: z.string(),
  replicas: z.number(),
  healthy: z.number(),
  digest: z.string().nullable(),
});

export const Deployment = z
  .object({
    ...runShape,
    environment: z.string(),
    stack: z.string(),
    release: z.string(),
    note: z.string().nullable(),
    at: Time.nullable(),
    gates: z.array(Gate),
    approvals: z.array(
      z.object({ by: z.string(), decision: z.enum(['approved', 'rejected']), comment: z.string(), at: Time }),
    ),
    before: z.array(ObservedService).nullable(),
    after: z.array(ObservedService).nullable(),
    restored: z.boolean().nullable(),
  })
  .meta({ id: 'Deployment' });

const counts = { total: z.number(), passed: z.number(), failed: z.number(), skipped: z.number() };
export const Tests = z
  .object({
    ...counts,
    items: z.array(
      z.object({
        step: z.string(),
        suite: z.string(),
        name: z.string(),
        result: z.enum(['passed', 'failed', 'skipped']),
        seconds: z.number(),
        message: z.string().optional(),
        since: z.number().optional(),
      }),
    ),
  })
  .meta({ id: 'Tests' });

export const Artifact = z.object({ path: z.string(), sha256: z.string(), size: z.number() }).meta({ id: 'Artifact' });

export const Release = z
  .object({
    stack: z.string(),
    version: z.string(),
    pipeline: z.string(),
    build: z.number(),
    branch: z.string(),
    revision: z.string(),
    images: z.array(ImageRef),
    compose: z.string(),
    overrides: z.record(z.string(), z.string()),
    files: z.array(z.object({ path: z.string(), sha256: z.string(), size: z.number(), mode: z.number() })),
    verify: z.array(z.string()),
    blocked: z.object({ by: z.string(), reason: z.string(), at: Time }).nullable(),
    createdAt: Time,
  })
  .meta({ id: 'Release' });

const Current = z
  .object({
    release: z.string(),
    deployment: z.number(),
    since: Time,
    images: z.array(ImageRef),
    services: z.array(ObservedService),
  })
  .meta({ id: 'Current' });

export const Stack = z
  .object({
    name: z.string(),
    current: Current.nullable(),
    hold: z.object({ by: z.string().nullable(), reason: z.string(), at: Time }).nullable(),
    lock: z.object({ deployment: z.number(), since: Time }).nullable(),
    observed: z.object({ at: Time, services: z.array(ObservedService) }).nullable(),
  })
  .meta({ id: 'Stack' });

export const Environment = z
  .object({
    name: z.string(),
    order: z.number(),
    engine: z.object({ kind: z.enum(['compose', 'swarm']), host: z.string(), hasTls: z.boolean() }),
    after: z.array(z.string()),
    promote: z.enum(['auto', 'manual']),
    branches: z.array(z.string()).nullable(),
    approvals: z
      .object({
        count: z.number(),
        users: z.array(z.string()).optional(),
        roles: z.array(RoleName).optional(),
        allowRequester: z.boolean(),
        expires: z.string().optional(),
      })
      .nullable(),
    freezes: z.array(
      z.object({
        name: z.string(),
        timezone: z.string().optional(),
        from: z.string().optional(),
        until: z.string().optional(),
        cron: z.string().optional(),
        duration: z.string().optional(),
      }),
    ),
    variables: z.record(z.string(), z.string()),
    registry: Registry.nullable(),
    pool: z.string(),
    url: z.string().nullable(),
    timeout: z.string(),
    keep: z.number(),
    policy: z.array(z.enum(POLICY)),
    stacks: z.array(Stack),
  })
  .meta({ id: 'Environment' });

export const Pipeline = z
  .object({
    name: z.string(),
    source: z.object({
      kind: z.enum(['git', 'svn']),
      url: z.string(),
      branches: z.array(z.string()),
      submodules: z.boolean(),
      lfs: z.boolean(),
      hosts: z.array(z.string()),
      link: z.string().nullable(),
      hasCredentials: z.boolean(),
    }),
    file: z.string(),
    definition: z.string().nullable(),
    poll: z.string().nullable(),
    hasHookSecret: z.boolean(),
    status: z
      .object({
        kind: z.enum(['github', 'gitlab', 'gitea']),
        url: z.string(),
        hasToken: z.boolean(),
        error: z.string().nullable().meta({ description: 'Why the last state did not get there' }),
      })
      .nullable(),
    createdAt: Time,
    lastBuild: z.object({ number: z.number(), status: Status, result: Result.nullable() }).nullable(),
  })
  .meta({ id: 'Pipeline' });

export const Head = z.object({ branch: z.string(), revision: z.string() });
export const SourceTest = z.object({ ok: z.boolean(), error: z.string().nullable(), branches: z.array(Head) });
export const Watch = z
  .object({
    items: z.array(Head.extend({ notedAt: Time })),
    quiet: z
      .array(Head.extend({ since: Time, due: Time }))
      .meta({ description: 'Heads that have moved and wait for the quiet period to end' }),
    sources: z.array(z.object({ name: z.string(), kind: z.enum(['git', 'svn']), url: z.string(), branch: z.string() })),
    poll: z.string().nullable(),
    nextPoll: Time.nullable(),
    polledAt: Time.nullable(),
    reachedAt: Time.nullable(),
    error: z.string().nullable(),
    failures: z.number().meta({ description: 'Looks in a row that failed; each doubles the wait for the next' }),
    hook: z.object({
      lastAt: Time.nullable(),
      missedAt: Time.nullable().meta({ description: 'When a poll found a change that no hook had announced' }),
    }),
    schedule: z
      .object({
        cron: z.string(),
        timezone: z.string(),
        next: z.array(Time).meta({ description: 'The next five slots' }),
        passed: z.array(
          z.object({ slot: z.string(), at: Time, outcome: z.enum(['built', 'missed']), build: z.number().nullable() }),
        ),
      })
      .nullable(),
  })
  .meta({ id: 'Watch' });
export const Parameter = z
  .object({
    name: z.string(),
    type: z.enum(['string', 'boolean', 'number', 'choice']),
    options: z.array(z.string()),
    default: z.string().nullable().meta({ description: 'null: it must be given' }),
    description: z.string().nullable(),
  })
  .meta({ id: 'Parameter' });
export const Trial = z
  .object({
    branch: z.string(),
    items: z.array(Change.extend({ builds: z.boolean(), reason: z.string().nullable() })),
  })
  .meta({ id: 'FilterTrial' });
export const Diff = z
  .object({
    stack: z.string(),
    release: z.string(),
    current: z.string().nullable(),
    changes: z.array(Change),
    images: z.array(z.object({ name: z.string(), from: z.string().nullable(), to: z.string().nullable() })),
    compose: z.object({ from: z.string().nullable(), to: z.string() }),
    variables: z.array(z.object({ name: z.string(), from: z.string().nullable(), to: z.string().nullable() })),
    secrets: z.array(z.string()),
    tests: z.object(counts),
    gates: z.array(Gate),
  })
  .meta({ id: 'Diff' });

export const Board = z
  .object({
    items: z.array(
      z.object({
        project: z.string(),
        stack: z.string(),
        latest: z.string().nullable(),
        environments: z.array(
          z.object({
            environment: z.string(),
            current: Current.omit({ images: true }).nullable(),
            behind: z.number().meta({ description: 'Releases of this stack that are newer than what runs here' }),
            held: z.boolean(),
            deploying: z.number().nullable(),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'Board' });

export const LintReply = z.object({
  ok: z.boolean(),
  errors: z.array(z.object({ message: z.string(), line: z.number(), column: z.number(), path: z.string() })),
});

export const QueueItem = z
  .object({
    kind: z.enum(['build', 'deployment', 'task']),
    project: z.string(),
    pipeline: z.string().nullable(),
    environment: z.string().nullable(),
    number: z.number(),
    status: Status,
    reason: z.string().nullable(),
    pool: z.string(),
    runner: z.string().nullable(),
    queuedAt: Time,
    startedAt: Time.nullable(),
  })
  .meta({ id: 'QueueItem' });

export const Runner = z
  .object({
    id: z.string(),
    name: z.string(),
    pools: z.array(z.string()),
    slots: z.number(),
    version: z.string(),
    online: z.boolean(),
    seenAt: Time,
  })
  .meta({ id: 'Runner' });

export const AuditLine = z
  .object({
    id: z.number(),
    at: Time,
    actor: z.string().nullable(),
    action: z.string(),
    project: z.string().nullable(),
    target: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AuditLine' });

export const SearchHit = z.object({
  kind: z.enum(['build', 'release']),
  project: z.string(),
  pipeline: z.string(),
  build: z.number(),
  branch: z.string(),
  revision: z.string(),
  stack: z.string().nullable(),
  version: z.string().nullable(),
});

export const Ready = z.object({ ok: z.boolean(), checks: z.record(z.string(), z.string()) });
