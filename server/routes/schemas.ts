/** The shapes of the API: what is taken (strict: an unknown field is refused) and what is given. */
import { Cron } from 'croner';
import { z } from 'zod';
import { parseDuration } from '../../pipelines/duration.ts';

// ---- words -------------------------------------------------------------------------------------------------------------

export const Slug = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'expected 1 to 40 lower-case letters, digits and "-", beginning with a letter');
export const EnvironmentName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9-]{0,19}$/, 'expected 1 to 20 letters, digits and "-", beginning with a letter');
export const UserName = z
  .string()
  .regex(
    /^[a-z][a-z0-9._-]{0,39}$/,
    'expected 1 to 40 lower-case letters, digits, ".", "_" and "-", beginning with a letter',
  );
export const RoleName = z.enum(['viewer', 'developer', 'release-manager', 'admin']);
const Line = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}]*$/u, 'expected one line without control characters');
export const Text = z.string().max(4000);
export const Reason = Text.trim().min(1, 'expected a reason');
const Time = z.string().meta({ format: 'date-time', description: 'RFC 3339, UTC' });
const Instant = z.iso.datetime({ offset: true, error: 'expected a time such as 2030-01-31T08:00:00Z' });
const Result = z.enum(['passed', 'failed', 'cancelled', 'errored']);
const Status = z.enum(['waiting', 'queued', 'running', 'finished']);
const TriggerName = z.enum(['poll', 'hook', 'schedule', 'manual', 'retry', 'promote', 'rollback']);

const MINUTE = 60_000;
/** Text as in the pipeline file (`90s`, `30m`, `1h30m`); becomes milliseconds. */
const Duration = (most: number) =>
  z
    .string()
    .transform((text, context) => {
      const value = parseDuration(text);
      if (value !== null && value >= 1000 && value <= most) return value;
      context.addIssue({
        code: 'custom',
        message: `expected a duration such as 90s, 30m or 1h30m, at most ${most / MINUTE} minutes`,
      });
      return z.NEVER;
    })
    .meta({ type: 'string', description: 'A duration such as 90s, 30m or 1h30m' });

const CronText = z
  .string()
  .max(100)
  .refine(isCron, 'expected a cron expression of five fields, or six with seconds, that comes due some day');

function isCron(text: string): boolean {
  try {
    return /^(\S+\s+){4,5}\S+$/.test(text) && new Cron(text, { paused: true, timezone: 'UTC' }).nextRun() !== null;
  } catch {
    return false;
  }
}
const Timezone = z.string().refine((name) => {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}, 'expected a time zone such as Europe/Paris');

/** Names that change how the programs around a step behave. */
const REFUSED_NAMES =
  /^(LD_.*|DYLD_.*|BASH_ENV|BASH_FUNC.*|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|IFS|PATH|HOME|NODE_OPTIONS|PYTHONSTARTUP|PYTHONPATH|PERL5OPT|PERL5LIB|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|GIT_(SSH|SSH_COMMAND|ASKPASS|EXEC_PATH|EXTERNAL_DIFF|EDITOR|PAGER|PROXY_COMMAND|TEMPLATE_DIR|ALLOW_PROTOCOL|CONFIG.*)|SSH_ASKPASS|SVN_SSH|DOCKER_(HOST|CONFIG|CONTEXT|CERT_PATH|TLS.*)|COMPOSE_.*|SLIPWAY_.*|__proto__)$/i;
export const VariableName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected letters, digits and "_", not beginning with a digit')
  .refine((name) => !REFUSED_NAMES.test(name), 'this name is refused: it changes how other programs run');

const BranchPattern = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^-\p{Cc}\s][^\p{Cc}]*$/u, 'expected a branch or a pattern such as release/*, not beginning with "-"');
const Branches = z.array(BranchPattern).min(1).max(50);

export const Limit = z.coerce.number().int().min(1).max(200).default(50);
export const Before = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional();
export const Paging = z.strictObject({ before: Before, limit: Limit });
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next: z.number().optional().meta({ description: 'To be given as `before` for the items after these' }),
  });

// ---- people ------------------------------------------------------------------------------------------------------------

export const Login = z.strictObject({ username: z.string().min(1).max(100), password: z.string().min(1).max(1000) });
const NewPassword = z.string().min(10, 'expected at least 10 characters').max(1000);
export const PutUser = z.strictObject({
  email: z.email('expected a mail address').max(254).nullable().optional(),
  admin: z.boolean().optional(),
  password: NewPassword.nullable().optional().meta({ description: 'Left out: kept. null: the user cannot log in' }),
  currentPassword: z.string().max(1000).optional().meta({ description: 'Needed to change one’s own password' }),
});
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
const Scopes = z.array(z.enum(['read', 'write'])).min(1);
export const PostToken = z.strictObject({
  name: Line(100).min(1).default('token'),
  scopes: Scopes.default(['read', 'write']).meta({ description: '`write` does not include `read`' }),
  expires: Instant.nullable().default(null),
});
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

// ---- configuration -----------------------------------------------------------------------------------------------------

export const PutProject = z.strictObject({ name: Line(100).trim().min(1) });
export const Project = z.object({ slug: z.string(), name: z.string(), createdAt: Time }).meta({ id: 'Project' });
export const PutMember = z.strictObject({ role: RoleName });
export const Member = z.object({ user: z.string(), role: RoleName }).meta({ id: 'Member' });

const REGISTRY =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;
export const PutRegistry = z.strictObject({
  url: z.string().max(255).regex(REGISTRY, 'expected host[:port][/path] without a scheme, user or password'),
  username: Line(255).min(1).nullable().default(null),
  password: z.string().min(1).max(4000).nullable().optional().meta({ description: 'Left out: kept. null: removed' }),
  insecure: z.boolean().default(false),
});
export const Registry = z
  .object({ url: z.string(), username: z.string().nullable(), hasPassword: z.boolean(), insecure: z.boolean() })
  .meta({ id: 'Registry' });

export const PutSecret = z.strictObject({
  value: z
    .string()
    .min(8, 'expected at least 8 characters: shorter ones cannot be masked')
    .max(64 * 1024)
    .optional(),
  branches: Branches.nullable().default(null),
});
export const Secret = z
  .object({ name: z.string(), branches: z.array(z.string()).nullable(), updatedAt: Time })
  .meta({ id: 'Secret' });

const Pem = z
  .string()
  .max(64 * 1024)
  .regex(/^-----BEGIN /, 'expected PEM text');
const ENGINE_HOST =
  /^(?:unix:\/\/\/[^\s\p{Cc}]+|tcp:\/\/[A-Za-z0-9[][A-Za-z0-9.:[\]-]*:\d{1,5}|ssh:\/\/(?:[A-Za-z0-9_][\w.-]*@)?[A-Za-z0-9[][A-Za-z0-9.:[\]-]*)$/u;
const Engine = z.strictObject({
  kind: z.enum(['compose', 'swarm']),
  host: z.string().max(255).regex(ENGINE_HOST, 'expected unix:///path, tcp://host:port or ssh://[user@]host[:port]'),
  tls: z
    .strictObject({ ca: Pem.optional(), cert: Pem.optional(), key: Pem.optional() })
    .nullable()
    .optional()
    .meta({ description: 'Left out: kept. null: removed' }),
});
const Freeze = z
  .strictObject({
    name: Line(100).min(1),
    timezone: Timezone.optional(),
    from: Instant.optional(),
    until: Instant.optional(),
    cron: CronText.optional(),
    duration: Duration(366 * 24 * 60 * MINUTE).optional(),
  })
  .refine(
    ({ from, until, cron, duration }) => (from && until && !cron && !duration) || (cron && duration && !from && !until),
    {
      message: 'expected either from and until, or cron and duration',
    },
  );
const POLICY = [
  'privileged',
  'docker-socket',
  'host-namespaces',
  'cap-add',
  'devices',
  'security-opt',
  'host-mounts',
  'sysctls',
] as const;
export const PutEnvironment = z.strictObject({
  order: z.number().int().min(0).max(1000).default(0),
  engine: Engine,
  after: z
    .union([EnvironmentName, z.array(EnvironmentName).max(20)])
    .default([])
    .meta({ description: 'The environment, or list of them, that a release must have passed' }),
  promote: z.enum(['auto', 'manual']).default('manual'),
  branches: Branches.nullable().default(null),
  approvals: z
    .strictObject({
      count: z.number().int().min(1).max(20),
      users: z.array(UserName).min(1).max(50).optional(),
      roles: z.array(RoleName).min(1).optional(),
      allowRequester: z.boolean().default(false),
      expires: Duration(90 * 24 * 60 * MINUTE).optional(),
    })
    .nullable()
    .default(null),
  freezes: z.array(Freeze).max(50).default([]),
  variables: z.record(VariableName, z.string().max(32 * 1024)).default({}),
  registry: PutRegistry.nullable().default(null).meta({ description: 'Its own one, in place of the project’s' }),
  pool: Slug.default('default'),
  url: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .max(500)
    .nullable()
    .default(null),
  timeout: Duration(24 * 60 * MINUTE).default(15 * MINUTE),
  keep: z.number().int().min(1).max(1000).default(10),
  policy: z.array(z.enum(POLICY)).default([]),
});

const SecretName = z.strictObject({ secret: VariableName });
const CredentialText = z
  .string()
  .min(1)
  .max(16 * 1024);
export const Credentials = z.union([
  z.strictObject({ username: Line(255).min(1), password: CredentialText }),
  z.strictObject({ token: CredentialText }),
  z.strictObject({
    sshKey: CredentialText,
    knownHosts: z
      .string()
      .max(64 * 1024)
      .optional(),
  }),
  SecretName,
]);
const RelativePath = z
  .string()
  .min(1)
  .max(500)
  .regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\\\p{Cc}]+$/u, 'expected a path below the top of the repository');
export const PutPipeline = z.strictObject({
  source: z.strictObject({
    kind: z.enum(['git', 'svn']),
    url: z.string().min(1).max(2000),
    branches: Branches,
    credentials: Credentials.nullable().optional().meta({ description: 'Left out: kept. null: removed' }),
  }),
  file: RelativePath.default('slipway.yml'),
  definition: z
    .string()
    .max(256 * 1024)
    .nullable()
    .default(null)
    .meta({ description: 'The pipeline file’s text, where it is kept on the server' }),
  poll: CronText.nullable().default(null),
  hookSecret: z.string().min(8, 'expected at least 8 characters').max(1000).nullable().optional(),
});

// ---- runs --------------------------------------------------------------------------------------------------------------

export const Change = z
  .object({
    revision: z.string(),
    author: z.string().nullable(),
    email: z.string().nullable(),
    message: z.string(),
    at: Time,
    files: z.array(z.string()).optional(),
  })
  .meta({ id: 'Change' });
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
export const PostBuild = z.strictObject({
  branch: z.string().min(1).max(200).optional(),
  revision: z
    .string()
    .regex(/^[0-9A-Za-z]{1,64}$/, 'expected a commit, or the number of an SVN revision')
    .optional(),
  parameters: z.record(z.string().max(128), z.string().max(32 * 1024)).optional(),
});
export const PostDeployment = z.strictObject({
  release: z.string().min(1).max(128),
  stack: z.string().min(1).max(128).optional(),
  note: Text.optional(),
  override: Text.optional(),
  at: Instant.optional(),
});
export const PostRollback = z.strictObject({
  stack: z.string().min(1).max(128).optional(),
  to: z.string().min(1).max(128).optional(),
  reason: Reason,
});
export const Comment = z.strictObject({ comment: Text.default('') });
export const Cancel = z.strictObject({ reason: Text.optional() });
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

// ---- releases and what runs where ----------------------------------------------------------------------------------------

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
      hasCredentials: z.boolean(),
    }),
    file: z.string(),
    definition: z.string().nullable(),
    poll: z.string().nullable(),
    hasHookSecret: z.boolean(),
    createdAt: Time,
    lastBuild: z.object({ number: z.number(), status: Status, result: Result.nullable() }).nullable(),
  })
  .meta({ id: 'Pipeline' });
export const Head = z.object({ branch: z.string(), revision: z.string() });
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

// ---- the whole server ----------------------------------------------------------------------------------------------------

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
