/** Building one image on an engine: BuildKit where the engine has it, else the classic builder. */
import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { RemoteError } from '../../pipelines/errors.ts';
import type { BuildContext } from './build-context.ts';
import { BuildLog } from './build-log.ts';
import { asEngineError, engineMessage, statusCodeOf } from './containers.ts';
import { EngineFailure, engineEvents } from './event-stream.ts';

export interface BuildRequest {
  context: BuildContext;
  /** The tag the image gets on the engine. */
  reference: string;
  target: string | null;
  args: Record<string, string>;
}

/** Where the output of a build goes; a `StepLog` will do. */
export interface BuildOutput {
  /** Takes whole lines, newline included. */
  write(lines: Buffer): void;
  drained(): Promise<void>;
}

/** The Dockerfile, or something it runs, is at fault. */
export class BuildFailure extends Error {
  readonly exitCode: number | null;

  constructor(message: string, exitCode: number | null = null) {
    super(message);
    this.name = 'BuildFailure';
    this.exitCode = exitCode;
  }
}

export type Builder = 'buildkit' | 'classic';
const builders = new WeakMap<Docker, Promise<Builder>>();

/** A silent `RUN` may take long, and the step has a deadline of its own: this only ends a connection that is dead. */
const IDLE = 60 * 60_000;

/**
 * Builds, and answers the image's id. The image is given no label: the same files make the same image, whoever
 * builds them and how often. No session is opened with BuildKit, since that would offer credentials to any host a
 * Dockerfile names; so it pulls anonymously.
 * Throws `BuildFailure`, or `RemoteError('engine', …)`. An abort ends the request, and with it the build.
 */
export async function buildImage(
  engine: Docker,
  request: BuildRequest,
  output: BuildOutput,
  signal: AbortSignal,
  builder?: Builder,
): Promise<string> {
  const chosen = builder ?? (await builderOf(engine));
  try {
    return await buildWith(chosen, engine, request, output, signal);
  } catch (error) {
    if (chosen === 'classic' || !isRefusal(error)) throw error;
    builders.set(engine, Promise.resolve('classic'));
    return buildWith('classic', engine, request, output, signal);
  }
}

/** Asked once an engine: BuildKit came with API 1.39, for Linux. */
function builderOf(engine: Docker): Promise<Builder> {
  const known = builders.get(engine);
  if (known) return known;
  const asked = engine.version().then(({ ApiVersion, Os }): Builder => {
    const [major = 0, minor = 0] = ApiVersion.split('.').map(Number);
    return Os === 'linux' && (major > 1 || minor >= 39) ? 'buildkit' : 'classic';
  });
  builders.set(engine, asked);
  asked.catch(() => builders.delete(engine));
  return asked;
}

/** The engine would not even begin a build of version 2. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error && /invalid version|buildkit is not/i.test(error.message);

async function buildWith(
  builder: Builder,
  engine: Docker,
  request: BuildRequest,
  output: BuildOutput,
  signal: AbortSignal,
) {
  const log = new BuildLog((lines) => output.write(lines));
  const tar = request.context.open();
  const unreadable = new AbortController();
  tar.on('error', (error) => unreadable.abort(error));
  let id: string | null = null;
  try {
    const body = await post(engine, query(builder, request), tar, AbortSignal.any([signal, unreadable.signal]));
    for await (const event of engineEvents(body, IDLE)) {
      if (event.id === 'moby.buildkit.trace') log.trace(event.aux as string);
      else id = (event.aux as { ID?: string } | undefined)?.ID ?? id;
      if (event.stream) log.output(event.stream);
      await output.drained();
    }
  } catch (error) {
    signal.throwIfAborted();
    unreadable.signal.throwIfAborted();
    if (error instanceof EngineFailure) throw failureOf(error.message);
    // The classic builder reads the Dockerfile before it answers.
    throw statusCodeOf(error) === 400 ? failureOf(engineMessage(error)) : asEngineError(error);
  } finally {
    tar.destroy();
    log.end();
  }
  if (!id) throw new RemoteError('engine', 'protocol', 'the engine ended the build without naming an image');
  return id;
}

function query(builder: Builder, { context, reference, target, args }: BuildRequest) {
  return {
    t: reference,
    dockerfile: context.dockerfile,
    buildargs: JSON.stringify(args),
    rm: true,
    forcerm: true,
    ...(target === null ? {} : { target }),
    ...(builder === 'buildkit' ? { version: '2' } : {}),
  };
}

/** dockerode's own `buildImage` opens a session for version 2, and so would give credentials to every host. */
function post(
  engine: Docker,
  options: object,
  tar: NodeJS.ReadableStream,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = {
      path: '/build?',
      method: 'POST',
      file: tar,
      options,
      abortSignal: signal,
      isStream: true,
      statusCodes: { 200: true },
    };
    engine.modem.dial(request as never, (error: unknown, body: unknown) =>
      error ? reject(error) : resolve(body as IncomingMessage),
    );
  });
}

// ---- what went wrong -------------------------------------------------------------------------------------------------

const EXITS = [
  /executor failed running \[(?<command>[\s\S]*)\]: exit code: (?<code>\d+)/, // BuildKit of engine 20.10
  /process "(?<command>[\s\S]*)" did not complete successfully: exit code: (?<code>\d+)/, // BuildKit since
  /The command '(?<command>[\s\S]*)' returned a non-zero code: (?<code>\d+)/, // classic
];
const MACHINE =
  /no space left|connection refused|connection reset|i\/o timeout|no such host|TLS handshake|Unavailable|too many requests|\b50\d\b/i;

function failureOf(message: string): Error {
  for (const pattern of EXITS) {
    const { command, code } = pattern.exec(message)?.groups ?? {};
    if (command !== undefined) return new BuildFailure(`RUN ${shown(command)}: exit code ${code}`, Number(code));
  }
  const plain = message.replace(
    /^(failed to solve( with frontend [\w.]+)?: |failed to create LLB definition: |rpc error: code = \w+ desc = )+/,
    '',
  );
  return MACHINE.test(plain) ? new RemoteError('engine', 'unreachable', plain) : new BuildFailure(plain);
}

function shown(command: string): string {
  const line = command.replace(/^\/bin\/sh -c /, '').replaceAll(/\s+/g, ' ');
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

// ---- what it starts from ---------------------------------------------------------------------------------------------

/**
 * The images a Dockerfile names in `FROM` and `COPY --from`, with `ARG`s from before the first `FROM` filled in. Names of
 * its own stages are left out, and so is what cannot be told without running the build.
 */
export function baseImages(dockerfile: string, args: Record<string, string>): string[] {
  const values = new Map<string, string>();
  const stages = new Set<string>();
  const images = new Set<string>();
  const fill = (word: string) =>
    word.replace(
      /\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})/g,
      (_, plain, braced, otherwise) => values.get(plain ?? braced) || (otherwise ?? ''),
    );
  for (const line of dockerfile.replace(/\\\r?\n/g, ' ').split('\n')) {
    const [instruction = '', ...words] = line.trim().split(/\s+/);
    const operand = words.find((word) => !word.startsWith('--'));
    if (/^ARG$/i.test(instruction) && stages.size === 0 && images.size === 0 && operand) {
      const [name = '', value] = operand.split('=', 2);
      values.set(name, args[name] ?? fill((value ?? '').replace(/^(["'])(.*)\1$/, '$2')));
    } else if (/^FROM$/i.test(instruction) && operand) {
      if (!stages.has(operand.toLowerCase())) images.add(fill(operand));
      const as = words.findIndex((word) => /^as$/i.test(word));
      if (as >= 0) stages.add((words[as + 1] ?? '').toLowerCase());
    } else if (/^COPY$/i.test(instruction)) {
      const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
      if (from && !stages.has(from.toLowerCase()) && !/^\d+$/.test(from)) images.add(from);
    }
  }
  images.delete('scratch');
  images.delete('');
  return [...images];
}
