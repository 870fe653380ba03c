/** Settings: environment variables, all checked at start, all faults reported at once. */
import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { AppError } from '../pipelines/errors.ts';

export interface Config {
  /** Absolute path of the data folder. */
  data: string;
  port: number;
  host: string;
  /** Without a trailing slash; with port 0 it is known only once the server listens. */
  publicUrl: string;
  redisUrl: string | null;
  smtpUrl: string | null;
  mailFrom: string;
  secretKey: string | null;
  adminPassword: string | null;
  adminToken: string | null;
  /** Runs the embedded runner takes at once; 0 = there is none. */
  runnerSlots: number;
  /** Bytes a step. */
  logLimit: number;
  serverUrl: string | null;
  runnerToken: string | null;
  url: string | null;
  token: string | null;
  timezone: string;
  caFile: string | null;
  tlsCert: string | null;
  tlsKey: string | null;
  /** As Express takes it: hops, or addresses of proxies. */
  trustProxy: false | number | string[];
  allowHostSteps: boolean;
  allowCreate: boolean;
  allowFileSources: boolean;
  allowPrivateHooks: boolean;
}

interface Setting {
  /** Who reads it: the server, a runner of its own, or the commands that talk to a server. */
  for: 'server' | 'runner' | 'client';
  /** The default, in words. */
  otherwise: string;
  about: string;
}

/** Every setting that is read; the reference in `docs/` is made of this. */
export const SETTINGS = {
  SLIPWAY_DATA: { for: 'server', otherwise: './data', about: 'Folder of the database, logs, files and repositories.' },
  SLIPWAY_PORT: { for: 'server', otherwise: '8080', about: 'Port that it listens on; 0 is any free one.' },
  SLIPWAY_HOST: { for: 'server', otherwise: '0.0.0.0', about: 'Address that it listens on.' },
  SLIPWAY_PUBLIC_URL: {
    for: 'server',
    otherwise: 'from host and port',
    about: 'Its address as people reach it: the links in mails begin with it.',
  },
  SLIPWAY_TLS_CERT: {
    for: 'server',
    otherwise: 'no TLS',
    about: 'File of the certificate, PEM; serves HTTPS. Needs the key.',
  },
  SLIPWAY_TLS_KEY: { for: 'server', otherwise: 'no TLS', about: "File of the certificate's key, PEM." },
  SLIPWAY_TRUST_PROXY: {
    for: 'server',
    otherwise: '0',
    about:
      'Proxies in front that say where a request comes from: how many (1 to 9), or their addresses, with commas between.',
  },
  SLIPWAY_SMTP_URL: {
    for: 'server',
    otherwise: 'no mail',
    about: 'Mail server: smtp://[user:password@]host[:port], or smtps://…',
  },
  SLIPWAY_MAIL_FROM: {
    for: 'server',
    otherwise: 'slipway@localhost',
    about: 'Sender of mail: an address, or Name <address>.',
  },
  SLIPWAY_SECRET_KEY: {
    for: 'server',
    otherwise: 'a file in the data folder',
    about: 'Encrypts secrets at rest; 16 characters or more. Without it a key is made and kept in a file of mode 0600.',
  },
  SLIPWAY_ADMIN_PASSWORD: {
    for: 'server',
    otherwise: 'made, and printed once',
    about: 'First password of the user admin; 10 characters or more.',
  },
  SLIPWAY_ADMIN_TOKEN: {
    for: 'server',
    otherwise: 'none',
    about: 'A token of the user admin, for automation; 16 characters or more.',
  },
  SLIPWAY_RUNNER_SLOTS: {
    for: 'server',
    otherwise: '2',
    about: 'Runs that the embedded runner takes at once; 0 is no runner.',
  },
  SLIPWAY_LOG_LIMIT: { for: 'server', otherwise: '52428800', about: 'Bytes of log that are kept of a step.' },
  SLIPWAY_TIMEZONE: { for: 'server', otherwise: 'UTC', about: 'Time zone of schedules that name none.' },
  SLIPWAY_CA_FILE: {
    for: 'server',
    otherwise: 'none',
    about: "Certificates of an intranet's own CA, PEM: trusted besides the usual ones for Git, registries and mail.",
  },
  SLIPWAY_ALLOW_HOST_STEPS: {
    for: 'server',
    otherwise: '0',
    about: 'Steps with host: true run on the machine itself, with the rights of the runner. slipway run reads it, too.',
  },
  SLIPWAY_ALLOW_CREATE: {
    for: 'server',
    otherwise: '0',
    about: 'Every user may make projects, not administrators only.',
  },
  SLIPWAY_ALLOW_FILE_SOURCES: {
    for: 'server',
    otherwise: '0',
    about: 'Repositories may be file:// addresses, for trials.',
  },
  SLIPWAY_ALLOW_PRIVATE_HOOKS: {
    for: 'server',
    otherwise: '0',
    about: 'Outgoing webhooks may go to private addresses. Checked, but not used by this version.',
  },
  SLIPWAY_REDIS_URL: {
    for: 'server',
    otherwise: 'one process',
    about: 'Redis for runners on other machines: redis://… or rediss://… Checked, but not used by this version.',
  },
  SLIPWAY_SERVER_URL: {
    for: 'runner',
    otherwise: 'none',
    about: 'Server that a runner of its own works for. Checked, but not used by this version.',
  },
  SLIPWAY_RUNNER_TOKEN: {
    for: 'runner',
    otherwise: 'none',
    about: 'Token of a runner of its own. Checked, but not used by this version.',
  },
  SLIPWAY_URL: { for: 'client', otherwise: 'http://127.0.0.1:8080', about: 'Server that the commands talk to.' },
  SLIPWAY_TOKEN: { for: 'client', otherwise: 'none', about: 'Your token: see slipway token create -h.' },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof SETTINGS;

/** Turns the text of a setting into its value, or throws a sentence of what was expected. */
type Reader<T> = (text: string) => T;
interface Options {
  /** The value is not shown in a fault. */
  secret?: boolean;
}

const MIN_TOKEN = 16;

/** Throws one `AppError('invalid')` with a line a fault: name, what it got, what was expected. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const faults: string[] = [];
  function setting<T, D>(name: SettingName, read: Reader<T>, fallback: D, { secret = false }: Options = {}): T | D {
    const text = env[name]?.trim();
    if (text === undefined || text === '') return fallback;
    try {
      return read(text);
    } catch (fault) {
      if (!(fault instanceof Expected)) throw fault;
      faults.push(
        `${name}: got ${secret ? `a value of ${text.length} characters` : JSON.stringify(text)}, expected ${fault.message}`,
      );
      return fallback;
    }
  }

  const port = setting('SLIPWAY_PORT', integer(0, 65_535), 8080);
  const host = setting('SLIPWAY_HOST', hostName, '0.0.0.0');
  const tlsCert = setting('SLIPWAY_TLS_CERT', file, null);
  const tlsKey = setting('SLIPWAY_TLS_KEY', file, null);
  if (Boolean(env.SLIPWAY_TLS_CERT) !== Boolean(env.SLIPWAY_TLS_KEY)) {
    const missing = env.SLIPWAY_TLS_CERT ? 'SLIPWAY_TLS_KEY' : 'SLIPWAY_TLS_CERT';
    faults.push(`${missing}: got nothing, expected a file, since the other half of the pair is set`);
  }
  const publicUrl = setting('SLIPWAY_PUBLIC_URL', webUrl, defaultUrl(tlsCert ? 'https' : 'http', host, port));
  const config: Config = {
    data: path.resolve(env.SLIPWAY_DATA?.trim() || './data'),
    port,
    host,
    publicUrl,
    redisUrl: setting('SLIPWAY_REDIS_URL', url('redis:', 'rediss:'), null, { secret: true }),
    smtpUrl: setting('SLIPWAY_SMTP_URL', url('smtp:', 'smtps:'), null, { secret: true }),
    mailFrom: setting('SLIPWAY_MAIL_FROM', address, 'slipway@localhost'),
    secretKey: setting('SLIPWAY_SECRET_KEY', atLeast(MIN_TOKEN), null, { secret: true }),
    adminPassword: setting('SLIPWAY_ADMIN_PASSWORD', atLeast(10), null, { secret: true }),
    adminToken: setting('SLIPWAY_ADMIN_TOKEN', atLeast(MIN_TOKEN), null, { secret: true }),
    runnerSlots: setting('SLIPWAY_RUNNER_SLOTS', integer(0, 256), 2),
    logLimit: setting('SLIPWAY_LOG_LIMIT', integer(1024, 100 * 1024 ** 3), 50 * 1024 ** 2),
    serverUrl: setting('SLIPWAY_SERVER_URL', webUrl, null),
    runnerToken: setting('SLIPWAY_RUNNER_TOKEN', atLeast(MIN_TOKEN), null, { secret: true }),
    url: setting('SLIPWAY_URL', webUrl, null),
    token: setting('SLIPWAY_TOKEN', atLeast(MIN_TOKEN), null, { secret: true }),
    timezone: setting('SLIPWAY_TIMEZONE', timezone, 'UTC'),
    caFile: setting('SLIPWAY_CA_FILE', file, null),
    tlsCert,
    tlsKey,
    trustProxy: setting('SLIPWAY_TRUST_PROXY', proxies, false),
    allowHostSteps: setting('SLIPWAY_ALLOW_HOST_STEPS', flag, false),
    allowCreate: setting('SLIPWAY_ALLOW_CREATE', flag, false),
    allowFileSources: setting('SLIPWAY_ALLOW_FILE_SOURCES', flag, false),
    allowPrivateHooks: setting('SLIPWAY_ALLOW_PRIVATE_HOOKS', flag, false),
  };
  if (faults.length > 0) throw new AppError('invalid', faults.join('\n'), { extra: { faults } });
  return config;
}

/** What a setting should have been. */
class Expected extends Error {}
const expected = (what: string): never => {
  throw new Expected(what);
};

const integer =
  (least: number, most: number): Reader<number> =>
  (text) => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= least && value <= most
      ? value
      : expected(`a whole number from ${least} to ${most}`);
  };

const atLeast =
  (length: number): Reader<string> =>
  (text) =>
    text.length >= length ? text : expected(`at least ${length} characters`);

function flag(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  return /^(0|false|no|off)$/i.test(text) ? false : expected('1 or 0');
}

const url =
  (...protocols: string[]): Reader<string> =>
  (text) => {
    const what = `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
    return URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname
      ? text
      : expected(what);
  };

function webUrl(text: string): string {
  const plain = url('http:', 'https:')(text).replace(/\/+$/, '');
  const { username, password, search, hash } = new URL(plain);
  return username || password || search || hash ? expected('a URL without user, password, query and fragment') : plain;
}

function hostName(text: string): string {
  return isIP(text) !== 0 || /^[A-Za-z0-9.-]+$/.test(text) ? text : expected('an address or a host name, without port');
}

function defaultUrl(protocol: string, host: string, port: number): string {
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = everywhere ? 'localhost' : isIP(host) === 6 ? `[${host}]` : host;
  return new URL(`${protocol}://${name}:${port}`).origin;
}

function address(text: string): string {
  const mail = /^(?:[^<>\r\n]*<)?[^\s<>@"]+@[^\s<>@"]+>?$/;
  return mail.test(text) && text.includes('<') === text.endsWith('>')
    ? text
    : expected('a mail address, or Name <address>');
}

function timezone(text: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch (error) {
    if (error instanceof RangeError) return expected('a time zone such as Europe/Paris');
    throw error;
  }
}

function file(text: string): string {
  try {
    accessSync(text, constants.R_OK);
    return path.resolve(text);
  } catch {
    return expected('the path of a file that can be read');
  }
}

/** Never "all": whoever is trusted may say where a request comes from. */
function proxies(text: string): false | number | string[] {
  if (text === '0') return false;
  if (/^\d$/.test(text)) return Number(text);
  const names = text.split(',').map((name) => name.trim());
  const known = (name: string): boolean => {
    const [ip = '', bits, ...rest] = name.split('/');
    const version = isIP(ip);
    if (version === 0) return ['loopback', 'linklocal', 'uniquelocal'].includes(name);
    return (
      rest.length === 0 &&
      (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
    );
  };
  return names.every(known)
    ? names
    : expected('the number of proxies (1 to 9), or their addresses, with commas between');
}
