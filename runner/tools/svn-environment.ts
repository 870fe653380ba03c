/** What surrounds svn: its configuration and, in a private folder, the credentials of one source. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from '../../pipelines/errors.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import type { ScmOptions } from './scm-options.ts';
import { writeSshConfig } from './ssh.ts';
import { hostOf, schemeOf } from './svn-url.ts';

/** What every command begins with and gets on its standard input. */
export interface Surroundings {
  home: string;
  args: string[];
  input: string | undefined;
}

/** Throws `invalid` (field `source.credentials`) where the credentials are of no use for the URL. */
export function checkCredentials({ source, credentials }: SourceAccess): void {
  const scheme = schemeOf(source.url);
  if (credentials === null || scheme === 'file') return;
  const wanted = scheme === 'svn+ssh' ? 'an sshKey' : 'username and password';
  if (scheme === 'svn+ssh' ? !('sshKey' in credentials) : !('password' in credentials)) {
    throw invalid(
      `an ${scheme}:// repository needs "credentials" with ${wanted}; a token goes in the place of the password`,
      'source.credentials',
    );
  }
  if ('password' in credentials && /[\0\r\n]/.test(credentials.username + credentials.password))
    throw invalid('username and password must not contain line breaks', 'source.credentials');
}

/** Fills the private folder `home`, for commands to the server of `url`. Over HTTP no other host is reached. */
export async function prepare(
  options: ScmOptions,
  access: SourceAccess,
  url: string,
  home: string,
): Promise<Surroundings> {
  const config = join(home, 'config');
  await mkdir(config, { recursive: true });
  const ssh = schemeOf(url) === 'svn+ssh' ? await writeSshConfig(options, access, home, sshAlias(url)) : null;
  await writeFile(join(config, 'config'), clientConfiguration(ssh));
  await writeFile(join(config, 'servers'), serverConfiguration(options, hostOf(url)));
  const { credentials } = access;
  const login = credentials !== null && 'password' in credentials ? credentials : null;
  return {
    home,
    args: [
      '--non-interactive',
      '--no-auth-cache',
      `--config-dir=${config}`,
      ...(login === null ? [] : [`--username=${login.username}`, '--password-from-stdin']),
    ],
    input: login === null ? undefined : `${login.password}\n`,
  };
}

/** svn knows nothing of ports here: it tells ssh `host:port` as if that was a name. */
function sshAlias(url: string) {
  const { host, hostname, port } = new URL(url);
  return port === '' ? null : { name: host, host: hostname.replace(/^\[|\]$/g, ''), port };
}

/** Nobody else works on the cached working copies: with one lock for all of a command, svn is done in half the time. */
const clientConfiguration = (ssh: string | null): string => `[auth]
password-stores =
[tunnels]
ssh = ${ssh === null ? 'false' : `ssh -F "${ssh.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`}
[working-copy]
exclusive-locking = true
`;

/**
 * svn follows redirections, and would give the password to whichever host asks: so all hosts but this one are behind a proxy
 * that does not exist.
 */
function serverConfiguration({ caFile, timeoutMs }: ScmOptions, host: string): string {
  return `[global]
http-timeout = ${Math.max(1, Math.ceil(timeoutMs / 1000))}
http-auth-types = basic;digest
http-proxy-host = 127.0.0.1
http-proxy-port = 9
http-proxy-exceptions = ${host.replace(/^\[|\]$/g, '')}
ssl-trust-default-ca = yes
${caFile === null ? '' : `ssl-authority-files = ${caFile}\n`}`;
}
