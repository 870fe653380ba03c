/** How a repository is signed in to, as a form holds it. */
export const WAYS = ['kept', 'none', 'password', 'token', 'key', 'secret'] as const;
export type Way = (typeof WAYS)[number];

export interface Credentials {
  way: Way;
  username: string;
  password: string;
  token: string;
  sshKey: string;
  knownHosts: string;
  secret: string;
}

export const credentials = (way: Way): Credentials => ({
  way,
  username: '',
  password: '',
  token: '',
  sshKey: '',
  knownHosts: '',
  secret: '',
});

/** Ways that the tool knows; those of before can be kept where there are any. */
export const waysOf = (kind: 'git' | 'svn', kept: boolean): Way[] =>
  WAYS.filter((way) => (way !== 'kept' || kept) && (way !== 'token' || kind === 'git'));

/** As the API takes them: undefined keeps those there are, null removes them. */
export function credentialsToSend({ way, username, password, token, sshKey, knownHosts, secret }: Credentials) {
  switch (way) {
    case 'kept':
      return undefined;
    case 'none':
      return null;
    case 'password':
      return { username, password };
    case 'token':
      return { token };
    case 'key':
      return { sshKey, ...(knownHosts.trim() === '' ? {} : { knownHosts }) };
    case 'secret':
      return { secret };
  }
}
