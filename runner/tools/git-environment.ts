/** What surrounds git: its environment, its configuration and, in a private folder, the credentials of one source. */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invalid } from '../../pipelines/errors.ts';
import type { SourceCredentials } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { cleanEnvironment } from './exec.ts';
import { transportOf } from './git-url.ts';
import type { ScmOptions } from './scm-options.ts';
import { writeSshConfig } from './ssh.ts';

/** Throws `invalid` (field `source.credentials`) where the credentials are of no use for the URL. */
export function checkCredentials({ source, credentials }: SourceAccess): void {
  if (credentials === null) return;
  const transport = transportOf(source.url);
  const web = transport === 'https' || transport === 'http';
  if (transport === 'ssh' && !('sshKey' in credentials)) {
    throw invalid(
      'an ssh repository needs "credentials" with an sshKey, not a password or token',
      'source.credentials',
    );
  }
  if (web && 'sshKey' in credentials) {
    throw invalid(
      `an ${transport} repository needs "credentials" with username and password or a token, not an sshKey`,
      'source.credentials',
    );
  }
}

/** Fills the private folder; answers the environment that all commands share. */
export async function prepare(
  options: ScmOptions,
  access: SourceAccess,
  home: string,
): Promise<Record<string, string>> {
  const config = join(home, 'config');
  await writeFile(config, configuration(options));
  return cleanEnvironment({
    HOME: home,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: config,
    // A folder whose .git is broken must not make git look for one further up, such as the one Slipway itself is in.
    GIT_CEILING_DIRECTORIES: `${tmpdir()}:${home}`,
    ...(transportOf(access.source.url) === 'ssh'
      ? await sshEnvironment(options, access, home)
      : await passwordEnvironment(access, home)),
  });
}

/**
 * Takes the place of the user's ~/.gitconfig; the programs git starts on this machine obey it, too. Nothing is forced to
 * disk, since mirrors and workspaces can be had again. What is fetched stays a pack: few files, for every checkout copies them.
 */
function configuration(options: ScmOptions): string {
  const ca =
    options.caFile === null ? '' : `\tsslCAInfo = ${configValue(options.caFile)}\n\tsslCAPath = /etc/ssl/certs\n`;
  return `[core]
	hooksPath = /dev/null
	fsmonitor = false
	fsync = none
	attributesFile = /dev/null
	excludesFile = /dev/null
[protocol "ext"]
	allow = never
[http]
	followRedirects = false
${ca}[safe]
	directory = *
[submodule]
	recurse = false
[init]
	templateDir =
	defaultBranch = main
[advice]
	detachedHead = false
[fetch]
	unpackLimit = 1
[gc]
	auto = 0
	autoDetach = false
[i18n]
	logOutputEncoding = UTF-8
`;
}

/** A value for a git configuration file, quoted. */
export const configValue = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

async function passwordEnvironment({ credentials }: SourceAccess, home: string): Promise<Record<string, string>> {
  if (credentials === null || 'sshKey' in credentials) return {};
  const helper = join(home, 'askpass');
  await writeFile(
    helper,
    '#!/bin/sh\ncase "$1" in\nUsername*) printf "%s\\n" "$SLIPWAY_USERNAME" ;;\n*) printf "%s\\n" "$SLIPWAY_PASSWORD" ;;\nesac\n',
    { mode: 0o700 },
  );
  const { username, password } = userOf(credentials);
  return { GIT_ASKPASS: helper, SLIPWAY_USERNAME: username, SLIPWAY_PASSWORD: password };
}

/** For Basic authentication: a token is the password of a name that all forges understand. */
export const userOf = (
  credentials: Exclude<SourceCredentials, { sshKey: string }>,
): { username: string; password: string } =>
  'token' in credentials ? { username: 'x-access-token', password: credentials.token } : credentials;

async function sshEnvironment(
  options: ScmOptions,
  access: SourceAccess,
  home: string,
): Promise<Record<string, string>> {
  const config = await writeSshConfig(options, access, home);
  return { GIT_SSH_COMMAND: `ssh -F '${config.replaceAll("'", "'\\''")}'`, GIT_SSH_VARIANT: 'ssh' };
}
