/** The HTTP API as the command line sees it: JSON in and out, refusals as sentences. */
import { messageOf } from '../../pipelines/errors.ts';
import type { Gate, Result, Status, StepResult, StepStatus, Trigger } from '../../pipelines/model.ts';
import { CliError, EXIT, usage } from './exit.ts';

export interface StepView {
  name: string;
  status: StepStatus;
  result: StepResult | null;
  startedAt: string | null;
}
export interface RunView {
  number: number;
  status: Status;
  result: Result | null;
  reason: string | null;
  trigger: Trigger;
  steps: StepView[];
  /** Of deployments. */
  gates?: Gate[];
}
export interface BuildView extends RunView {
  branch: string;
  revision: string;
  release: string | null;
}
export interface DeploymentView extends RunView {
  stack: string;
  release: string;
  gates: Gate[];
  restored: boolean | null;
}
export interface EnvironmentView {
  name: string;
  stacks: {
    name: string;
    current: {
      release: string;
      since: string;
      images: { name: string; digest: string }[];
      services: { name: string; replicas: number; healthy: number }[];
    } | null;
    hold: { by: string; reason: string } | null;
  }[];
}
export interface Page<T> {
  items: T[];
}

export interface Api {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown, headers?: Record<string, string>): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  /** A reply whose body is read as it comes. */
  open(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Answers the cookies of a new session. */
  login(username: string, password: string): Promise<string>;
  /** The same server, as somebody else. */
  as(headers: Record<string, string>): Api;
  readonly url: string;
}

/** A path of the API: every value that is filled in is one segment, whatever it holds. */
export const at = (strings: TemplateStringsArray, ...values: (string | number)[]): string =>
  String.raw({ raw: strings }, ...values.map(encodeURIComponent));

/** Reads SLIPWAY_URL and SLIPWAY_TOKEN. */
export function connect(env: NodeJS.ProcessEnv = process.env): Api {
  const url = env.SLIPWAY_URL || 'http://127.0.0.1:8080';
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw usage(`SLIPWAY_URL is ${JSON.stringify(url)}: expected something like https://ci.example.com`);
  }
  return apiAt(url.replace(/\/+$/, ''), env.SLIPWAY_TOKEN ? { authorization: `Bearer ${env.SLIPWAY_TOKEN}` } : {});
}

function apiAt(url: string, credentials: Record<string, string>): Api {
  async function request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const init: RequestInit = { method, headers: { accept: 'application/json', ...credentials, ...headers } };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { ...init.headers, 'content-type': 'application/json' };
    }
    const response = await fetch(`${url}/api/v1${path}`, init).catch((thrown) => {
      throw unreachable(url, thrown);
    });
    if (!response.ok) throw await refusal(response, credentials);
    return response;
  }
  const json = async <T>(response: Promise<Response>): Promise<T> => {
    const text = await (await response).text();
    try {
      return (text === '' ? null : JSON.parse(text)) as T;
    } catch {
      throw new CliError(EXIT.unreachable, `${url} answers, but not as Slipway does: check SLIPWAY_URL`);
    }
  };
  return {
    url,
    get: (path) => json(request('GET', path)),
    post: (path, body, headers) => json(request('POST', path, body, headers)),
    put: (path, body) => json(request('PUT', path, body)),
    open: (path, headers) => request('GET', path, undefined, { accept: 'text/plain', ...headers }),
    async login(username, password) {
      const response = await request('POST', '/session', { username, password }, { origin: new URL(url).origin });
      return response.headers
        .getSetCookie()
        .map((cookie) => cookie.split(';', 1)[0])
        .join('; ');
    },
    as: (headers) => apiAt(url, headers),
  };
}

/** Node says only "fetch failed"; the reason is in the cause. */
export function unreachable(url: string, thrown: unknown): CliError {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
  const { code } = cause as { code?: string };
  return new CliError(
    EXIT.unreachable,
    `cannot reach ${url} (${code ?? messageOf(cause)}): is the server running, and SLIPWAY_URL right?`,
  );
}

interface Problem {
  title?: string;
  detail?: string;
  field?: string;
  gates?: Gate[];
}

async function refusal(response: Response, credentials: Record<string, string>): Promise<CliError> {
  const text = await response.text();
  let problem: Problem & Record<string, unknown>;
  try {
    problem = JSON.parse(text);
  } catch {
    problem = { status: response.status, title: response.statusText };
  }
  return new CliError(
    EXIT.refused,
    [sentenceOf(problem, response.status, credentials), ...closedGates(problem)].join('\n'),
    problem,
  );
}

function sentenceOf(problem: Problem, status: number, credentials: Record<string, string>): string {
  if (status === 401 && !credentials.authorization && !credentials.cookie) {
    return 'the server wants to know who you are: set SLIPWAY_TOKEN (see `slipway token create -h`)';
  }
  if (status === 401) return `not accepted: ${problem.detail ?? 'the token or password is wrong or has expired'}`;
  const detail = problem.detail ?? problem.title ?? `HTTP ${status}`;
  return problem.field && !detail.includes(problem.field) ? `${problem.field}: ${detail}` : detail;
}

const closedGates = (problem: Problem): string[] =>
  (problem.gates ?? []).filter((gate) => !gate.open).map((gate) => `  ✗ ${gate.gate}: ${gate.message}`);
