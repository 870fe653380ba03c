// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of pipeline files
/** Checks of the single values of a pipeline file. Each answers what is wrong, to follow the key's name, or null. */
import { Cron } from 'croner';
import { faultOfGlob } from './glob.ts';

type Check = (value: string) => string | null;

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const HOST = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\\.)*[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?';
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
/** The grammar of Docker's `reference` package. */
const REFERENCE = new RegExp(`^(?:${HOST}/)?${COMPONENT}(?:/${COMPONENT})*(?::${TAG})?(?:@sha256:[a-f0-9]{64})?$`);
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);

const check =
  (test: (value: string) => boolean, message: string): Check =>
  (value) =>
    test(value) ? null : message;

export const faultOfName = check(
  (value) => NAME.test(value),
  'expected lower-case letters, digits and "-", beginning with a letter',
);
export const faultOfSecretName = check(
  (value) => /^[A-Z_][A-Z0-9_]{0,127}$/.test(value) && !isHijack(value),
  'expected the name of a secret, such as NPM_TOKEN',
);
export const faultOfImage = check(
  (value) => value.length <= 255 && REFERENCE.test(value),
  'expected an image reference such as node:20 or registry.example.com/team/tool:1.2',
);
export const faultOfRepository = check(
  (value) => value.length <= 200 && REPOSITORY.test(value),
  'expected a name within the registry such as shop/web, in lower case and without a tag',
);
export const faultOfTag = check(
  (value) => new RegExp(`^${TAG}$`).test(value),
  'expected an image tag: letters, digits, "_", "." and "-"',
);
export const faultOfVersion = check(
  (value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value),
  'expected a version such as "1.4.${number}": letters, digits, ".", "_" and "-"',
);
export const faultOfMail = check(
  (value) =>
    value.length <= 254 &&
    /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}$/.test(value),
  'expected one mail address such as team@example.com',
);

/** A path or glob below the workspace. */
export function faultOfPath(value: string): string | null {
  const path = value.startsWith('!') ? value.slice(1) : value;
  if (path === '' || hasControls(path)) return 'expected a path';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path) || path.includes('\\')) {
    return 'expected a path relative to the workspace, with "/" between folders';
  }
  if (path.startsWith('-')) return 'a path cannot begin with "-": write ./ before it';
  // Even "a/../b" is refused: with a symbolic link as "a" it would lead elsewhere.
  if (path.split('/').includes('..')) return 'a path cannot leave the workspace: ".." is not possible';
  return faultOfGlob(path);
}

/** A folder inside a step's container that is kept between builds. */
export function faultOfCache(value: string): string | null {
  const path = value.replace(/\/+$/, '');
  if (!path.startsWith('/') || hasControls(path) || /[:\\]/.test(path) || /(^|\/)\.\.?(\/|$)/.test(path)) {
    return 'expected a folder in the container, from its root, such as /root/.m2';
  }
  const system = /^\/(proc|sys|dev|etc|bin|sbin|lib|lib64|usr)(\/(bin|sbin|lib|lib64))?$/.test(path);
  return system ? 'this folder belongs to the system of the container' : null;
}

/**
 * Names that would take over the shell or the loader before the first line of a script runs, or a tool that Slipway runs
 * itself (GIT_*), or stand in for what Slipway says (SLIPWAY_*). What only steers a program that the script starts
 * (PATH, NODE_OPTIONS, DOCKER_HOST) is the script's own business, as the script is.
 */
const isHijack = (name: string): boolean =>
  /^(LD_|DYLD_|GIT_|SLIPWAY_|BASH_FUNC_)/.test(name) ||
  ['BASH_ENV', 'ENV', 'SHELLOPTS', 'BASHOPTS', 'IFS', 'PS4', 'PROMPT_COMMAND'].includes(name);

export function faultOfEnvName(name: string): string | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) return 'expected a name of letters, digits and "_"';
  if (name.startsWith('SLIPWAY_')) return 'names that begin with SLIPWAY_ are set by Slipway';
  return isHijack(name)
    ? 'this name would take over the shell or a tool: export it in the script where it is needed'
    : null;
}

/** Parameters come from whoever starts a build, and become environment variables under their upper-case names. */
export function faultOfParameterName(name: string): string | null {
  const variable = name.toUpperCase();
  if (['PATH', 'HOME', 'CI', 'NODE_OPTIONS', 'DOCKER_HOST'].includes(variable))
    return 'a parameter cannot have this name';
  return faultOfEnvName(variable);
}

/** Five fields, or six with seconds. The calendar is asked whether it ever comes: a pure calculation. */
export function faultOfCron(value: string): string | null {
  const expected = 'expected a cron expression of five fields, or six with seconds, such as "*/2 * * * *"';
  if (value.length > 100) return expected;
  try {
    const cron = new Cron(value, { paused: true, mode: '5-or-6-parts', timezone: 'UTC' });
    return cron.nextRun(new Date(0)) ? null : 'this time never comes';
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    return expected;
  }
}

export function faultOfTimezone(value: string): string | null {
  try {
    new Intl.DateTimeFormat('en', { timeZone: value });
    return null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return 'expected a time zone such as Europe/Berlin';
  }
}

const SOURCE_PROTOCOLS = ['https:', 'http:', 'ssh:', 'git:', 'svn:', 'svn+ssh:', 'file:'];

/** Addresses of repositories; which of them may be reached is the server's to say. */
export function faultOfSourceUrl(value: string): string | null {
  const expected = 'expected an https://, ssh://, git://, svn://, svn+ssh:// or file:// address, or git@host:path';
  if (hasControls(value)) return expected;
  if (isScpLike(value)) return null;
  if (!URL.canParse(value)) return expected;
  const { protocol, username, password, hostname } = new URL(value);
  if (!SOURCE_PROTOCOLS.includes(protocol)) return expected;
  if (password || (username && protocol.startsWith('http')))
    return 'credentials do not belong in an address: use a secret';
  return hostname.startsWith('-') || username.startsWith('-') ? expected : null;
}

/** Git's short form of ssh: `user@host:path`. */
const isScpLike = (value: string): boolean =>
  /^[^-@:/][^@:/]*@(\[[\da-fA-F:.]+\]|[^-@:/[\]][^@:/[\]]*):[^-]/.test(value);

/** A branch, tag or SVN folder as a person writes it; what is there is the repository's to say. */
export const faultOfBranch = (value: string): string | null =>
  value === '' || value.startsWith('-') || /\s/.test(value) || hasControls(value) ? 'expected a branch' : null;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const hasControls = (value: string): boolean => /[\u0000-\u001f\u007f]/.test(value);
