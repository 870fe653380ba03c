/** The public API of the demo's server, as scripts use it. */

/** A call that was refused; the message is the server's own sentence. */
export class ApiFailed extends Error {}

export function apiOf(url, token) {
  const call = async (method, path, body, accept = (response) => response.json()) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.ok) return response.status === 204 ? null : accept(response);
    const problem = await response.json().catch(() => ({}));
    throw new ApiFailed(problem.detail ?? `${method} ${path}: ${response.statusText}`);
  };
  return {
    get: (path) => call('GET', path),
    put: (path, body) => call('PUT', path, body),
    post: (path, body = {}) => call('POST', path, body),
    text: (path) => call('GET', path, undefined, (response) => response.text()),
  };
}

/** A token of somebody who has only a password: what `slipway token create --user` does. */
export async function tokenOf(url, username, password) {
  const headers = { 'content-type': 'application/json', origin: url };
  const login = await fetch(`${url}/api/v1/session`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ username, password }),
  });
  const cookie = login.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  const made = await fetch(`${url}/api/v1/me/tokens`, {
    method: 'POST',
    headers: { ...headers, cookie },
    body: JSON.stringify({ name: 'demo' }),
  });
  const { token, detail } = await made.json();
  if (!made.ok) throw new ApiFailed(`a token for ${username}: ${detail}`);
  return token;
}
