/** The words of the API: names, times, durations, pages. */
import { Cron } from 'croner';
import { z } from 'zod';
import { parseDuration } from '../../pipelines/duration.ts';
import { faultOfGlob } from '../../pipelines/glob.ts';

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
export const Line = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}]*$/u, 'expected one line without control characters');

export const Text = z.string().max(4000);
export const Reason = Text.trim().min(1, 'expected a reason');
export const Time = z.string().meta({ format: 'date-time', description: 'RFC 3339, UTC' });
export const Instant = z.iso.datetime({ offset: true, error: 'expected a time such as 2030-01-31T08:00:00Z' });
export const Result = z.enum(['passed', 'failed', 'cancelled', 'errored']);
export const Status = z.enum(['waiting', 'queued', 'running', 'finished']);
export const TriggerName = z.enum(['poll', 'hook', 'schedule', 'manual', 'retry', 'promote', 'rollback']);
export const MINUTE = 60_000;
/** Text as in the pipeline file (`90s`, `30m`, `1h30m`); becomes milliseconds. */
export const Duration = (most: number) =>
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

export const CronText = z
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

export const Timezone = z.string().refine((name) => {
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
  .regex(/^[^-\p{Cc}\s][^\p{Cc}]*$/u, 'expected a branch or a pattern such as release/*, not beginning with "-"')
  .refine((pattern) => faultOfGlob(pattern) === null, 'this pattern has too many alternatives');

export const Branches = z.array(BranchPattern).min(1).max(50);
export const Limit = z.coerce.number().int().min(1).max(200).default(50);
export const Before = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional();
export const Paging = z.strictObject({ before: Before, limit: Limit });
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next: z.number().optional().meta({ description: 'To be given as `before` for the items after these' }),
  });

export const Scopes = z.array(z.enum(['read', 'write'])).min(1);
export const POLICY = [
  'privileged',
  'docker-socket',
  'host-namespaces',
  'cap-add',
  'devices',
  'security-opt',
  'host-mounts',
  'sysctls',
] as const;
