/** What the API takes. Strict: an unknown field is refused. */
import { z } from 'zod';
import {
  Branches,
  CronText,
  Duration,
  EnvironmentName,
  Instant,
  Line,
  MINUTE,
  POLICY,
  Reason,
  RoleName,
  Scopes,
  Slug,
  Text,
  Timezone,
  UserName,
  VariableName,
} from './words.ts';

export const Login = z.strictObject({ username: z.string().min(1).max(100), password: z.string().min(1).max(1000) });
const NewPassword = z.string().min(10, 'expected at least 10 characters').max(1000);
export const PutUser = z.strictObject({
  email: z.email('expected a mail address').max(254).nullable().optional(),
  admin: z.boolean().optional(),
  password: NewPassword.nullable().optional().meta({ description: 'Left out: kept. null: the user cannot log in' }),
  currentPassword: z.string().max(1000).optional().meta({ description: 'Needed to change one’s own password' }),
});

export const PostToken = z.strictObject({
  name: Line(100).min(1).default('token'),
  scopes: Scopes.default(['read', 'write']).meta({ description: '`write` does not include `read`' }),
  expires: Instant.nullable().default(null),
});

export const PutProject = z.strictObject({ name: Line(100).trim().min(1) });
export const PutMember = z.strictObject({ role: RoleName });
const REGISTRY =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;
export const PutRegistry = z.strictObject({
  url: z.string().max(255).regex(REGISTRY, 'expected host[:port][/path] without a scheme, user or password'),
  username: Line(255).min(1).nullable().default(null),
  password: z.string().min(1).max(4000).nullable().optional().meta({ description: 'Left out: kept. null: removed' }),
  insecure: z.boolean().default(false),
});

export const PutSecret = z.strictObject({
  value: z
    .string()
    .min(8, 'expected at least 8 characters: shorter ones cannot be masked')
    .max(64 * 1024)
    .optional(),
  branches: Branches.nullable().default(null),
});

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

const HostName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9[][A-Za-z0-9.:[\]-]*$/, 'expected a host name');

const Source = z.strictObject({
  kind: z.enum(['git', 'svn']),
  url: z.string().min(1).max(2000),
  branches: Branches,
  submodules: z.boolean().optional().meta({ description: 'Git: whether submodules are checked out, too' }),
  lfs: z.boolean().optional().meta({ description: 'Git: whether files kept in LFS are fetched' }),
  hosts: z
    .array(HostName)
    .max(50)
    .optional()
    .meta({ description: 'Further hosts that submodules and SVN externals may come from' }),
  link: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL with {revision} in it' })
    .max(500)
    .includes('{revision}', 'expected {revision} in it')
    .optional()
    .meta({ description: 'The page of a revision, as in https://git.example.com/shop/commit/{revision}' }),
  credentials: Credentials.nullable().optional().meta({ description: 'Left out: kept. null: removed' }),
});

/** A source that is not kept yet, to be tried. */
export const TestSource = Source;

/** Filters of a pipeline file's `on:`, to be tried on what is there. */
export const TryFilters = z.strictObject({
  branch: z.string().min(1).max(200).optional(),
  limit: z.number().int().min(1).max(200).default(50),
  definition: z
    .string()
    .max(256 * 1024)
    .optional()
    .meta({ description: 'A pipeline file whose on: is tried; the one at the newest revision, where left out' }),
});

const CommitStatus = z.strictObject({
  kind: z.enum(['github', 'gitlab', 'gitea']),
  url: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .max(500)
    .optional()
    .meta({ description: 'The forge’s address; that of the source’s host, where left out' }),
  token: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'expected a token without spaces')
    .max(4000)
    .nullable()
    .optional()
    .meta({ description: 'Left out: kept. null: removed; then the token of source.credentials is used' }),
});

export const PutPipeline = z.strictObject({
  source: Source,
  file: RelativePath.default('slipway.yml'),
  definition: z
    .string()
    .max(256 * 1024)
    .nullable()
    .default(null)
    .meta({ description: 'The pipeline file’s text, where it is kept on the server' }),
  poll: CronText.nullable().default(null),
  hookSecret: z.string().min(8, 'expected at least 8 characters').max(1000).nullable().optional(),
  status: CommitStatus.nullable()
    .optional()
    .meta({ description: 'The forge that is told the states of builds. Left out: kept. null: removed' }),
});

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
