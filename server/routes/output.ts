/** What a run's steps left behind: logs, tests, artifacts. The same calls for builds and deployments. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { notFound } from '../../pipelines/errors.ts';
import type { Run, Step } from '../../pipelines/model.ts';
import type { LogRef } from '../../pipelines/ports.ts';
import * as present from '../present.ts';
import type { Services } from '../services.ts';
import * as schemas from './schemas.ts';

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
    .meta({ description: 'Answers JSON: {count, lines: [{line, offset, text}]}' }),
  limit: schemas.Limit,
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
  if (query.search !== undefined) {
    response.json(await services.logs.search(ref, query.search, query.limit));
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
