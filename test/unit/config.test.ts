import path from 'node:path';
import { expect, test } from 'vitest';
import { AppError } from '../../pipelines/errors.ts';
import { readConfig } from '../../server/config.ts';

function faultsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof AppError) return error.message.split('\n');
    throw error;
  }
}

test('with nothing set, the defaults are those of the documentation', () => {
  expect(readConfig({})).toMatchObject({
    data: path.resolve('data'),
    port: 8080,
    publicUrl: 'http://localhost:8080',
    redisUrl: null,
    smtpUrl: null,
    adminToken: null,
    logLimit: 50 * 1024 * 1024,
    timezone: 'UTC',
    trustProxy: false,
    allowHostSteps: false,
    allowCreate: false,
    allowFileSources: false,
    allowPrivateHooks: false,
  });
});

test('all faults are reported at once, a line each, without the values of secrets', () => {
  const faults = faultsOf({
    SLIPWAY_PORT: '80800',
    SLIPWAY_ADMIN_PASSWORD: 'pass-w0rd',
    SLIPWAY_REDIS_URL: 'http://user:hidden@redis',
    SLIPWAY_TIMEZONE: 'Mars/Base',
    SLIPWAY_ALLOW_CREATE: 'perhaps',
  });
  expect(faults).toEqual([
    'SLIPWAY_PORT: got "80800", expected a whole number from 0 to 65535',
    'SLIPWAY_REDIS_URL: got a value of 24 characters, expected a URL that begins with redis:// or rediss://',
    'SLIPWAY_ADMIN_PASSWORD: got a value of 9 characters, expected at least 10 characters',
    'SLIPWAY_TIMEZONE: got "Mars/Base", expected a time zone such as Europe/Paris',
    'SLIPWAY_ALLOW_CREATE: got "perhaps", expected 1 or 0',
  ]);
});

test.each<[string, string]>([
  ['SLIPWAY_PUBLIC_URL', 'ftp://ci.example'],
  ['SLIPWAY_PUBLIC_URL', 'https://user:pw@ci.example'],
  ['SLIPWAY_MAIL_FROM', 'a@b\r\nBcc: evil@x'],
  ['SLIPWAY_TRUST_PROXY', 'true'],
  ['SLIPWAY_TRUST_PROXY', '10.0.0.0/33'],
  ['SLIPWAY_RUNNER_SLOTS', '-1'],
  ['SLIPWAY_LOG_LIMIT', '1e99'],
  ['SLIPWAY_CA_FILE', '/no/such/file.pem'],
  ['SLIPWAY_TLS_CERT', '/no/such/file.pem'],
])('%s=%j is a fault', (name, value) => {
  expect(faultsOf({ [name]: value }).join()).toContain('SLIPWAY_');
});

test.each<[string, unknown]>([
  ['0', false],
  ['2', 2],
  ['loopback, 10.0.0.0/8', ['loopback', '10.0.0.0/8']],
])('SLIPWAY_TRUST_PROXY=%s', (text, value) => {
  expect(readConfig({ SLIPWAY_TRUST_PROXY: text }).trustProxy).toEqual(value);
});

test.each<[Record<string, string>, string]>([
  [{ SLIPWAY_HOST: '127.0.0.1', SLIPWAY_PORT: '9000' }, 'http://127.0.0.1:9000'],
  [{ SLIPWAY_HOST: '::1' }, 'http://[::1]:8080'],
  [{ SLIPWAY_PUBLIC_URL: 'https://ci.example/' }, 'https://ci.example'],
])('the public address of %j is %s', (env, url) => {
  expect(readConfig(env).publicUrl).toBe(url);
});

test('half a TLS pair names the other half', () => {
  expect(faultsOf({ SLIPWAY_TLS_CERT: import.meta.filename })).toEqual([
    'SLIPWAY_TLS_KEY: got nothing, expected a file, since the other half of the pair is set',
  ]);
});
