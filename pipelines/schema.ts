// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of pipeline files
/** The one description of `slipway.yml`: it checks the file, types it, and helps editors (`pipelineJsonSchema`). */
import { z } from 'zod';
import { parseDuration, parseSize } from './duration.ts';
import { faultOfGlob } from './glob.ts';
import { suggestion } from './nearest.ts';
import { faultOfMessagePattern } from './patterns.ts';
import * as values from './values.ts';
import { substitute } from './variables.ts';

const TRIGGERS = ['poll', 'hook', 'schedule', 'manual', 'retry', 'promote', 'rollback'] as const;
const MAIL_ON = ['failed', 'fixed', 'passed', 'deployed', 'approval'] as const;

const HOUR = 3_600_000;

/** A map with these keys only. For an unknown key the error is one line for each, with the nearest right name. */
const object = <Shape extends z.ZodRawShape>(shape: Shape, expected = 'a map of keys and values') =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `unknown key "${key}"${suggestion(key, Object.keys(shape))}`).join('\n')
        : wanted(expected)(issue),
  });

const wanted = (expected: string) => (issue: { input?: unknown }) =>
  issue.input === undefined ? `is missing: expected ${expected}` : `expected ${expected}`;

/** A scalar, as text: YAML reads `1` and `true` as something else, though people mean what they wrote. */
const text = (expected = 'a text') =>
  z.union([z.string(), z.number(), z.boolean()], { error: wanted(expected) }).transform(String);

const checked = <Schema extends z.ZodType<string>>(schema: Schema, fault: (value: string) => string | null) =>
  schema.superRefine((value, context) => {
    const message = fault(value);
    if (message) context.addIssue({ code: 'custom', message });
  });

/** A value with variables is checked as if each of them were `x`; the plan checks it again with what they are. */
const filled = (fault: (value: string) => string | null) => (value: string) => fault(substitute(value, {}, () => 'x'));

const boolean = z.boolean({ error: wanted('true or false') });
const name = checked(z.string({ error: wanted('a name') }), values.faultOfName);
const image = checked(z.string({ error: wanted('an image') }), filled(values.faultOfImage));
const path = checked(z.string({ error: wanted('a path') }), filled(values.faultOfPath));
const cron = checked(z.string({ error: wanted('a cron expression') }), values.faultOfCron);
const glob = checked(
  z
    .string({ error: wanted('a pattern') })
    .min(1, 'a pattern cannot be empty')
    .max(500, 'this pattern is too long'),
  faultOfGlob,
);

/** One item or a list of them. */
const listOf = <Item extends z.ZodType>(item: Item, expected: string) =>
  z
    .union([z.array(item), item], { error: wanted(expected) })
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<Item>[]);

const duration = (least: number, most: number, range: string) =>
  z.string({ error: wanted('a duration such as 30m, 1h30m or 90s') }).transform((value, context) => {
    const result = parseDuration(value);
    if (result !== null && result >= least && result <= most) return result;
    const message =
      result === null ? 'expected a duration such as 30m, 1h30m or 90s' : `expected a duration from ${range}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
const timeout = duration(1000, 24 * HOUR, '1s to 24h');

const size = text('a size such as 512m or 2g').transform((value, context) => {
  const result = parseSize(value);
  if (result !== null && result >= 4 * 1024 ** 2 && result <= 1024 ** 4) return result;
  context.addIssue({ code: 'custom', message: 'expected a size such as 512m or 2g, from 4m to 1024g' });
  return z.NEVER;
});
const cpus = text('a number of processors such as 1.5').transform((value, context) => {
  const result = /^\d{1,3}(\.\d{1,3})?$/.test(value) ? Number(value) : 0;
  if (result >= 0.01 && result <= 256) return result;
  context.addIssue({ code: 'custom', message: 'expected a number of processors such as 1.5' });
  return z.NEVER;
});

/** Keys are checked too, each with its own message. */
const mapOf = <Value extends z.ZodType>(value: Value, keyFault: (key: string) => string | null, expected: string) =>
  z.record(checked(z.string(), keyFault), value, { error: wanted(expected) });

const env = mapOf(text(), values.faultOfEnvName, 'a map of names and values').describe(
  'Environment variables. Variables of the file such as ${version} are filled in.',
);
const retry = z
  .int({ error: wanted('a whole number') })
  .min(0, 'expected 0 to 10')
  .max(10, 'expected 0 to 10')
  .describe('How often the step is started again when it fails.');

const service = object({
  image: image.describe('The image of the service.'),
  env: env.optional(),
  command: z
    .array(text(), { error: wanted('a list of words, such as [redis-server, --save, ""]') })
    .optional()
    .describe('What runs in it, instead of what the image says.'),
});

/** What a step of a build and a verify step have in common. */
const script = {
  image: image.optional().describe('The image of the container that the step runs in.'),
  run: listOf(text('a command'), 'a list of commands')
    .optional()
    .describe(
      'Commands: one script, run under sh -e. Variables of the file are not filled in here: use $SLIPWAY_VERSION.',
    ),
  env: env.optional(),
  secrets: listOf(
    checked(z.string({ error: wanted('the name of a secret') }), values.faultOfSecretName),
    'a list of names of secrets',
  )
    .optional()
    .describe('The secrets that the step gets, as environment variables. It gets no others.'),
  services: mapOf(service, values.faultOfName, 'a map of services')
    .optional()
    .describe('Containers beside the step, reachable under their names.'),
  cache: listOf(checked(z.string({ error: wanted('a folder') }), values.faultOfCache), 'a list of folders')
    .optional()
    .describe('Folders of the container that are kept between builds of this pipeline, such as /root/.m2.'),
  artifacts: listOf(path, 'a list of paths').optional().describe('Files to keep with the build. Globs.'),
  junit: listOf(path, 'a list of paths').optional().describe('Test reports in JUnit XML. Globs.'),
  needs: listOf(z.string({ error: wanted('the name of a step') }), 'a list of steps')
    .optional()
    .describe('Steps that must have passed before. The step above, where left out; [] starts at once.'),
  retry: retry.optional(),
  timeout: timeout.optional().describe('How long the step may take, such as 10m.'),
  allow_failure: boolean.optional().describe('A failure of this step does not fail the run.'),
  memory: size.optional().describe('The most memory the step may use, such as 512m.'),
  cpus: cpus.optional().describe('The most processors the step may use, such as 1.5.'),
};

const imageBuild = object({
  image: checked(
    z.string({ error: wanted('the name of the image within the registry, such as shop/web') }),
    filled(values.faultOfRepository),
  ).describe('The name within the registry of the project, such as shop/web.'),
  context: path.optional().describe('The folder that is built. The workspace, where left out.'),
  dockerfile: path.optional().describe('Relative to the workspace. The Dockerfile in the context, where left out.'),
  target: text('the name of a stage').optional().describe('The stage of the Dockerfile that is built.'),
  args: mapOf(text(), values.faultOfEnvName, 'a map of names and values')
    .optional()
    .describe('Build arguments. They stay readable in the image: never put a secret here.'),
  tags: listOf(text('a tag'), 'a list of tags').optional().describe('Further tags, such as ${branch}.'),
});
const composeBuild = object({
  compose: path.describe('A compose file: every service with build: is built, in parallel.'),
});

const step = object({
  ...script,
  build: z
    .union([imageBuild, composeBuild], { error: wanted('{image: NAME, …} or {compose: FILE}') })
    .optional()
    .describe('Makes this an image step: builds and pushes one image, or those of a compose file.'),
  matrix: mapOf(
    listOf(
      checked(text(), (value) =>
        /^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/.test(value) ? null : 'expected a short word such as 17 or 3.9',
      ),
      'a list of values',
    ),
    (key) => (/^[a-z][a-z0-9_]{0,30}$/.test(key) ? null : 'expected a name in lower case'),
    'a map of lists, such as {java: [17, 21]}',
  )
    .optional()
    .describe('The step once for each combination; ${matrix.java} is the value.'),
  when: object({
    branch: listOf(glob, 'a list of branches')
      .optional()
      .describe('Branches that the step is for. Globs; ! takes out.'),
    trigger: listOf(z.enum(TRIGGERS, { error: wanted(`one of ${TRIGGERS.join(', ')}`) }), 'a list of triggers')
      .optional()
      .describe('Reasons to build that the step is for.'),
    paths: listOf(glob, 'a list of paths')
      .optional()
      .describe('The step is for changes of these paths. Globs; ! takes out.'),
  })
    .optional()
    .describe('Otherwise the step is left out, and counts as passed for those that need it.'),
  host: boolean.optional().describe("Runs on the runner's own machine, where the runner allows it."),
  reuse: boolean.optional().describe('Shares a warm container with neighbours of the same image.'),
});

const verifyStep = object(script);

const parameter = object({
  type: z
    .enum(['string', 'boolean', 'number', 'choice'], { error: wanted('one of string, boolean, number, choice') })
    .default('string')
    .describe('What may be given. string, where left out.'),
  options: listOf(text(), 'a list of values').optional().describe('What a choice is made from.'),
  default: text().optional().describe('The value where none is given. Without it, the parameter must be given.'),
  description: text().optional().describe('What it is for, shown to who is asked.'),
});

const on = object({
  poll: cron.optional().describe('When the repository is asked for changes: cron, five fields, or six with seconds.'),
  push: boolean.optional().describe('Whether signed webhooks start a build.'),
  schedule: object({
    cron: cron.describe('When to build, even when nothing has changed.'),
    timezone: checked(z.string({ error: wanted('a time zone such as Europe/Berlin') }), values.faultOfTimezone)
      .optional()
      .describe("Of the cron expression, such as Europe/Berlin. The server's, where left out."),
  })
    .optional()
    .describe('Builds by the clock.'),
  images: listOf(glob, 'a list of images')
    .optional()
    .describe(
      'Images, as name or name:tag, whose push builds the first branch anew, where the registry sends its events. Globs.',
    ),
  branches: listOf(glob, 'a list of branches').optional().describe('Branches that are built. Globs; ! takes out.'),
  paths: listOf(glob, 'a list of paths')
    .optional()
    .describe('Only changes of these paths are built. Globs; ! takes out.'),
  authors: listOf(glob, 'a list of authors')
    .optional()
    .describe('Whose changes are built. Globs; ! takes out, as in "!bot*".'),
  message: checked(z.string({ error: wanted('a regular expression') }), faultOfMessagePattern)
    .optional()
    .describe('A regular expression that the commit message must match, or with ! before it, must not.'),
});

const release = object({
  version: checked(text('a version'), filled(values.faultOfVersion))
    .optional()
    .describe('Unique per stack. "${number}", where left out.'),
  stack: name.optional().describe('What is deployed together. The name of the pipeline, where left out.'),
  compose: listOf(path, 'a compose file, or a list of them').describe(
    'The compose file of the stack; later ones of a list override.',
  ),
  overrides: mapOf(
    path,
    (key) => (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(key) ? null : 'expected the name of an environment'),
    'a map of environments and compose files',
  )
    .optional()
    .describe('One more compose file for an environment.'),
  files: listOf(path, 'a list of paths').optional().describe('Further files that travel with the release. Globs.'),
  verify: mapOf(verifyStep, values.faultOfName, 'a map of steps')
    .optional()
    .describe('Run after every deployment, against the environment.'),
});

const source = object({
  kind: z.enum(['git', 'svn'], { error: wanted('git or svn') }).describe('What keeps it.'),
  url: checked(z.string({ error: wanted('the address of a repository') }), values.faultOfSourceUrl).describe(
    'The address of the repository.',
  ),
  branch: checked(z.string({ error: wanted('a branch') }), values.faultOfBranch)
    .optional()
    .describe('The branch that is followed.'),
  path: path
    .optional()
    .describe('The folder of the workspace that it is checked out into. The name of the source, where left out.'),
  secret: checked(z.string({ error: wanted('the name of a secret') }), values.faultOfSecretName)
    .optional()
    .describe(
      "The secret that it is reached with: a token, user:password or a private key. The pipeline's own credentials, where left out and the host is the same.",
    ),
});

export const pipelineFile = object(
  {
    on: on.optional().describe('What starts a build.'),
    env: env.optional(),
    timeout: timeout.optional().describe('How long a build may take. 60m, where left out.'),
    parameters: mapOf(parameter, values.faultOfParameterName, 'a map of parameters')
      .optional()
      .describe('What a person who starts a build may choose. Environment variables, under their upper-case names.'),
    supersede: boolean.optional().describe('A newer poll or hook build cancels queued older ones of its branch.'),
    quiet: duration(1000, HOUR, '1s to 1h').optional().describe('How long to wait for further commits before a build.'),
    sources: mapOf(source, values.faultOfName, 'a map of sources')
      .optional()
      .describe('Further sources, checked out below the workspace.'),
    steps: mapOf(step, values.faultOfName, 'a map of steps').describe(
      'What a build does, in this order unless needs: says otherwise.',
    ),
    release: release.optional().describe('What a passed build makes, to be deployed.'),
    notify: object({
      mail: object({
        to: listOf(
          checked(z.string({ error: wanted('a mail address') }), values.faultOfMail),
          'a list of mail addresses',
        )
          .optional()
          .describe('Who gets it, besides the people whose commits are in it.'),
        on: listOf(z.enum(MAIL_ON, { error: wanted(`one of ${MAIL_ON.join(', ')}`) }), 'a list of occasions')
          .optional()
          .describe('On what. failed, fixed, deployed and approval, where left out.'),
      })
        .optional()
        .describe('Mail.'),
    })
      .optional()
      .describe('Who is told of what.'),
  },
  'keys and values such as "steps:"',
);

/** A checked file: lists are lists, durations are milliseconds, sizes bytes. */
export type PipelineFile = z.output<typeof pipelineFile>;
export type FileStep = PipelineFile['steps'][string];
export type FileVerifyStep = NonNullable<NonNullable<PipelineFile['release']>['verify']>[string];

/** JSON Schema (2020-12) of what a person writes. */
export function pipelineJsonSchema(): object {
  const schema = z.toJSONSchema(pipelineFile, { io: 'input' });
  return { ...schema, title: 'Slipway pipeline', description: 'The pipeline file of a repository: slipway.yml' };
}
