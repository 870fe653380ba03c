/** Calls of the API. Who asks is told by the session cookie; changes are JSON from our own origin, which is what keeps forgers out. */
import type { Problem } from './types.ts';

const PREFIX = '/api/v1';

/** The server said no, or could not be reached (`status` 0). The message is fit for users. */
export class ApiError extends Error {
  readonly status: number;
  readonly problem: Problem | null;

  constructor(status: number, message: string, problem: Problem | null = null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
  }
}

export const isStatus = (error: unknown, status: number): boolean =>
  error instanceof ApiError && error.status === status;

/** A path of the API with every part escaped: `api`/projects/${slug}``. */
export function api(parts: TemplateStringsArray, ...values: (string | number)[]): string {
  return PREFIX + String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));
}

export type Search = Record<string, string | number | undefined>;

export function withSearch(path: string, search: Search): string {
  const given = Object.entries(search).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => send<T>('GET', path, undefined, signal);
export const post = <T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> =>
  send<T>('POST', path, body, undefined, headers);
export const put = <T>(path: string, body: unknown): Promise<T> => send<T>('PUT', path, body);
export const remove = (path: string): Promise<void> => send<void>('DELETE', path);

async function send<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  headers: Record<string, string> = {},
): Promise<T> {
  const response = await reach(path, {
    method,
    headers: {
      Accept: 'application/json',
      ...headers,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  if (!response.ok) throw await refusal(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The server cannot be reached.', null, error);
  }
}

/** A proxy before the server may answer in HTML. */
async function refusal(response: Response): Promise<ApiError> {
  const type = response.headers.get('content-type') ?? '';
  if (!type.includes('json')) return new ApiError(response.status, `${response.status} ${response.statusText}`);
  const problem = (await response.json()) as Problem;
  return new ApiError(response.status, problem.detail, problem);
}
