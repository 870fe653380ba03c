/** How git and svn use ssh: with the key of one source and the host keys that are known, and nothing of the machine's own. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fault } from '../../pipelines/errors.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';

/**
 * Fills the private folder `home` with the key and a configuration; answers the path of that, for `ssh -F`. Host keys that
 * are met for the first time are noted in the source's cache, unless the credentials bring the known ones. `alias`: a host by
 * another name, and its port.
 */
export async function writeSshConfig(
  { timeoutMs }: { timeoutMs: number },
  { credentials, cache }: SourceAccess,
  home: string,
  alias: { name: string; host: string; port: string } | null = null,
): Promise<string> {
  let key = 'none';
  let knownHosts = join(cache, 'known_hosts');
  let strict = 'accept-new';
  if (credentials !== null && 'sshKey' in credentials) {
    key = join(home, 'key');
    // ssh refuses a key whose last line has no end, which is how keys come out of web forms.
    await writeFile(key, `${credentials.sshKey.replaceAll('\r\n', '\n').trimEnd()}\n`, { mode: 0o600 });
    if (credentials.knownHosts !== undefined) {
      knownHosts = join(home, 'known_hosts');
      strict = 'yes';
      await writeFile(knownHosts, `${credentials.knownHosts.trimEnd()}\n`);
    }
  }
  if (strict !== 'yes') await mkdir(cache, { recursive: true });
  const settings = {
    BatchMode: 'yes',
    IdentitiesOnly: 'yes',
    IdentityFile: `"${key}"`,
    StrictHostKeyChecking: strict,
    UserKnownHostsFile: `"${knownHosts}"`,
    GlobalKnownHostsFile: '/dev/null',
    ConnectTimeout: String(Math.max(1, Math.ceil(timeoutMs / 1000))),
    LogLevel: 'ERROR',
  };
  const config = join(home, 'ssh_config');
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  if (alias) lines.push(`Host ${alias.name}\nHostName ${alias.host}\nPort ${alias.port}\n`);
  await writeFile(config, lines.join(''));
  return config;
}

/** What ssh itself says when it does not get in. */
export const SSH_FAULTS: [RegExp, Fault, string][] = [
  [/host key verification failed/i, 'auth', 'the host key of the server is not the one that is known'],
  [
    /load key .*(invalid format|error in libcrypto|bad passphrase)/i,
    'auth',
    'the ssh key cannot be read; it must be a private key without a passphrase',
  ],
  [/permission denied \(|permission denied, please/i, 'auth', 'the server does not accept the ssh key'],
];
