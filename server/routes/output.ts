/** What a run's steps left behind: logs, tests, artifacts. The same calls for builds and deployments. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { invalid, notFound } from '../../pipelines/errors.ts';
import type { Run, Step } from '../../pipelines/model.ts';
import type { LogRef } from '../../pipelines/ports.ts';
import { LINE_BYTES } from '../log-index.ts';
import * as present from '../present.ts';
import type { Services } from '../services.ts';
import * as schemas from './schemas.ts';

const MAX_LINES = 1_024;

export const LogQuery = z.strictObject({
  attempt: z.coerce.number().int().min(1).max(1_000_000).optional().meta({ description: 'The newest where left out' }),
  follow: z.enum(['0', '1']).optional().meta({ description: '1: goes on until the step has ended' }),
  offset: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'First byte, with follow' }),
  search: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: 'Answers JSON: {count, lines: [{line, offset, text}]}; all lines are searched and counted' }),
  find: z
    .enum(['errors'])
    .optional()
    .meta({ description: 'As search, for lines that look like an error: a guess, to begin reading at' }),
  limit: schemas.Limit,
  after: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'With search and find: only lines after this one are listed' }),
  lines: z
    .string()
    .regex(/^[1-9]\d{0,11}-[1-9]\d{0,11}$/)
    .optional()
    .meta({
      description: `FROM-TO, counted from 1, at most ${MAX_LINES}. Answers JSON: {lines, bytes, complete, from, items: [{offset, bytes, text, at}]}, where lines and bytes are the whole log’s; a text is cut after ${LINE_BYTES} bytes, and at is when it came in (epoch ms)`,
    }),
  stat: z.enum(['0', '1']).optional().meta({
    description:
      '1: answers JSON {lines, bytes, complete} and not the log; with follow one such line whenever the log has grown',
  }),
});
type LogQuery = z.infer<typeof LogQuery>;

interface Streaming {
  services: Services;
  request: Request;
  response: Response;
}

/** Answers a step's log. `find` reads the run anew: a followed step may not have begun. */
export async function sendLog(
  context: Streaming & { query: LogQuery },
  find: () => Run,
  stepName: string,
): Promise<undefined> {
  const { services, request, response, query } = context;
  const run = find();
  let step = stepOf(run, stepName);
  const signal = closedSignal(response);
  if (query.follow === '1' && step.attempt === 0) step = await begun(services, find, stepName, signal);
  const ref: LogRef = { runId: run.id, step: step.name, attempt: query.attempt ?? Math.max(step.attempt, 1) };
  if (ref.attempt > Math.max(step.attempt, 1)) throw notFound(`step ${step.name} has no attempt ${ref.attempt}`);
  if (query.search !== undefined || query.find !== undefined) {
    const listing = { limit: query.limit, from: (query.after ?? 0) + 1 };
    response.json(await services.logs.search(ref, query.search ?? null, listing));
    return;
  }
  if (query.lines !== undefined) {
    const { from, to } = lineRange(query.lines);
    response.json(await services.logs.lines(ref, from, to));
    return;
  }
  if (query.stat === '1') {
    await sendCount(context, ref, query.follow === '1' && step.attempt > 0, signal);
    return;
  }
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.type('text/plain; charset=utf-8');
  if (query.follow === '1' && step.attempt > 0) {
    response.flushHeaders();
    await send(Readable.from(services.logs.follow(ref, query.offset ?? 0, signal)), response, signal);
  } else {
    await sendRange(services, ref, request, response, signal);
  }
}

function lineRange(text: string): { from: number; to: number } {
  const [from = 0, to = 0] = text.split('-').map(Number);
  if (to < from || to - from >= MAX_LINES)
    throw invalid(`lines: expected FROM-TO with FROM not beyond TO and at most ${MAX_LINES} lines`, 'lines');
  return { from, to };
}

async function sendCount(
  { services, response }: Streaming,
  ref: LogRef,
  follow: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (!follow) {
    response.json(await services.logs.count(ref));
    return;
  }
  response.type('application/x-ndjson');
  response.flushHeaders();
  await send(Readable.from(asLines(services.logs.watch(ref, signal))), response, signal);
}

async function* asLines(values: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const value of values) yield `${JSON.stringify(value)}\n`;
}

async function sendRange(
  services: Services,
  ref: LogRef,
  request: Request,
  response: Response,
  signal: AbortSignal,
): Promise<void> {
  const { length, closed } = services.logs.stat(ref) ?? { length: 0, closed: false };
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Slipway-Log-Complete', String(closed));
  const ranges = request.range(length, { combine: true });
  const range = Array.isArray(ranges) && ranges.type === 'bytes' && ranges.length === 1 ? ranges[0] : undefined;
  if (ranges === -1) {
    response.status(416).setHeader('Content-Range', `bytes */${length}`).end();
    return;
  }
  const [from, to] = range ? [range.start, range.end + 1] : [0, length];
  if (range) response.status(206).setHeader('Content-Range', `bytes ${from}-${to - 1}/${length}`);
  response.setHeader('Content-Length', to - from);
  if (request.method === 'HEAD' || to === from) response.end();
  else await send(services.logs.read(ref, from, to), response, signal);
}

/** A reader that goes away is no error. */
async function send(from: Readable, response: Response, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(from, response, { signal });
  } catch (error) {
    if (!signal.aborted && !response.destroyed) throw error;
  }
}

function closedSignal(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

function stepOf(run: Run, name: string): Step {
  const step = run.steps.find((each) => each.name === name);
  if (!step)
    throw notFound(`there is no step "${name}" in this run: it has ${run.steps.map((each) => each.name).join(', ')}`);
  return step;
}

/** The step as it is once it has begun, or will not begin any more, or `signal` aborts. */
function begun(services: Services, find: () => Run, name: string, signal: AbortSignal): Promise<Step> {
  const { id } = find();
  return new Promise((resolve, reject) => {
    const look = () => {
      try {
        const run = find();
        const step = stepOf(run, name);
        if (step.attempt > 0 || step.status === 'finished' || run.status === 'finished' || signal.aborted)
          end(() => resolve(step));
      } catch (error) {
        end(() => reject(error));
      }
    };
    const unsubscribe = services.events.subscribe((event) => {
      if (event.runId === id) look();
    });
    const end = (settle: () => void) => {
      unsubscribe();
      signal.removeEventListener('abort', look);
      settle();
    };
    signal.addEventListener('abort', look);
    look();
  });
}

export const testsOf = (services: Services, run: Run): z.infer<typeof schemas.Tests> =>
  present.tests(services.runs.tests(run.id));

/** As an attachment of no type that a browser would open: it may be HTML somebody's build made. */
export async function sendArtifact({ services, response }: Streaming, run: Run, path: string): Promise<undefined> {
  const artifact = services.runs.artifacts(run.id).find((each) => each.path === path);
  if (!artifact) throw notFound('there is no such artifact');
  response.attachment(path.split('/').at(-1));
  response.type('application/octet-stream');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Length', artifact.size);
  await send(services.blobs.stream(artifact.sha256), response, closedSignal(response));
}
