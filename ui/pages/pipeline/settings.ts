/** What the dialog of a pipeline's settings holds, and what it sends: all of it, since PUT replaces the whole. */
import type { Forge, Pipeline } from '../../api/types.ts';
import { type Credentials, credentials, credentialsToSend } from '../../components/credentials.ts';

export interface Settings {
  url: string;
  /** One a line, as are the hosts: a folder of SVN may have spaces in its name. */
  branches: string;
  credentials: Credentials;
  submodules: boolean;
  lfs: boolean;
  hosts: string;
  link: string;
  file: string;
  poll: string;
  hook: 'kept' | 'none' | 'new';
  hookSecret: string;
  status: Forge | 'none';
  statusUrl: string;
  statusToken: string;
}

export const settingsOf = ({ source, file, poll, hasHookSecret, status }: Pipeline): Settings => ({
  url: source.url,
  branches: source.branches.join('\n'),
  credentials: credentials(source.hasCredentials ? 'kept' : 'none'),
  submodules: source.submodules,
  lfs: source.lfs,
  hosts: source.hosts.join('\n'),
  link: source.link ?? '',
  file,
  poll: poll ?? '',
  hook: hasHookSecret ? 'kept' : 'none',
  hookSecret: '',
  status: status?.kind ?? 'none',
  statusUrl: status?.url ?? '',
  statusToken: '',
});

export function sourceToSend({ source: { kind } }: Pipeline, settings: Settings) {
  const { url, branches, submodules, lfs, hosts, link } = settings;
  const signIn = credentialsToSend(settings.credentials);
  return {
    kind,
    url: url.trim(),
    branches: lines(branches),
    submodules,
    lfs,
    hosts: lines(hosts),
    ...(link.trim() === '' ? {} : { link: link.trim() }),
    ...(signIn === undefined ? {} : { credentials: signIn }),
  };
}

export function settingsToSend(pipeline: Pipeline, settings: Settings) {
  const { file, poll, hook, hookSecret, status, statusUrl, statusToken } = settings;
  return {
    source: sourceToSend(pipeline, settings),
    file: file.trim() || 'slipway.yml',
    definition: pipeline.definition,
    poll: poll.trim() === '' ? null : poll.trim(),
    ...(hook === 'kept' ? {} : { hookSecret: hook === 'new' ? hookSecret : null }),
    status:
      status === 'none'
        ? null
        : {
            kind: status,
            ...(statusUrl.trim() === '' ? {} : { url: statusUrl.trim() }),
            ...(statusToken === '' ? {} : { token: statusToken }),
          },
  };
}

/** 32 letters and digits: what a sender signs with. */
export function newHookSecret(): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  // 62 × 4 = 248: what is above would make some letters more likely.
  const bytes = [...crypto.getRandomValues(new Uint8Array(128))].filter((byte) => byte < 248).slice(0, 32);
  return bytes.map((byte) => letters[byte % letters.length]).join('');
}

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
