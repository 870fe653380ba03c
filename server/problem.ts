/** Errors as RFC 9457 problem details. What users can mend is explained; the rest is "internal error" and an id to look for in the log. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import { AppError, type ErrorCode } from '../pipelines/errors.ts';
import { suggestion } from '../pipelines/nearest.ts';
import { IllegalMove } from '../pipelines/transition.ts';

const STATUS: Record<ErrorCode, number> = {
  invalid: 422,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  rate_limited: 429,
  unavailable: 503,
  remote: 502,
};

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  field?: string;
  [extra: string]: unknown;
}

const problem = (status: number, code: string, detail: string, more: Record<string, unknown> = {}): Problem => ({
  ...more,
  type: `urn:slipway:problem:${code.replaceAll('_', '-')}`,
  title: STATUS_CODES[status] ?? 'Error',
  status,
  detail,
});

/** The request is not in a form that we read at all. */
export class MediaTypeError extends Error {}

/** What a user may know of this error; null where it is ours, and none of theirs. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof AppError) {
    const field = error.field === undefined ? {} : { field: error.field };
    return problem(STATUS[error.code], error.code, error.message, { ...error.extra, ...field });
  }
  if (error instanceof Error && error.name === 'TimeoutError')
    return problem(STATUS.remote, 'remote', 'a server that was asked did not answer in time: try again');
  if (error instanceof IllegalMove) return problem(409, 'conflict', error.message);
  if (error instanceof MediaTypeError) return problem(415, 'unsupported', error.message);
  return fromLibrary(error);
}

/** Express and its parsers throw errors that carry a status and a type. */
function fromLibrary(error: unknown): Problem | null {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return null;
  const { status } = error;
  if (status < 400 || status >= 500) return null;
  const type = 'type' in error ? error.type : undefined;
  if (type === 'entity.parse.failed') return problem(400, 'malformed', `the body is not JSON: ${error.message}`);
  if (type === 'entity.too.large') return problem(413, 'too_large', 'the body is larger than 1 MiB');
  return problem(status, 'malformed', error.message);
}

export function sendProblem(response: Response, found: Problem): void {
  if (found.status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="slipway"');
  response.status(found.status).type('application/problem+json').send(JSON.stringify(found));
}

/** The last handler of the app. */
export const problemHandler =
  (logger: Logger): ErrorRequestHandler =>
  (error, request, response, _next) => {
    const known = problemOf(error);
    const id = known ? undefined : randomUUID();
    if (id) logger.error({ err: error, id, method: request.method, path: request.path }, 'internal error');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    sendProblem(response, known ?? problem(500, 'internal', `internal error; the log has it under ${id}`, { id }));
  };

// ---- faults of a request, found by its schema --------------------------------------------------------------------------

export interface Fault {
  field: string;
  message: string;
}

/** Parses, or throws `invalid` that names the first field at fault and, in `errors`, all of them. */
export function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const errors = faults(parsed.error.issues, schema, []);
  const [first = { field: '', message: 'is not valid' }] = errors;
  throw new AppError('invalid', first.field === '' ? first.message : `${first.field}: ${first.message}`, {
    field: first.field,
    extra: { errors },
  });
}

type Path = readonly PropertyKey[];

function faults(issues: readonly z.core.$ZodIssue[], schema: z.core.$ZodType, path: Path): Fault[] {
  // A misspelt field explains why another one is missing: so it comes first.
  const unknownFirst = issues.toSorted(
    (a, b) => Number(b.code === 'unrecognized_keys') - Number(a.code === 'unrecognized_keys'),
  );
  return unknownFirst.flatMap((issue): Fault[] => {
    const at = [...path, ...issue.path];
    const here = descend(schema, issue.path);
    if (issue.code === 'unrecognized_keys') {
      const known = here instanceof z.ZodObject ? Object.keys(here.shape) : [];
      return issue.keys.map((key) => ({
        field: [...at, key].join('.'),
        message: `unknown field${suggestion(key, known)}`,
      }));
    }
    if (issue.code === 'invalid_union' && here instanceof z.ZodUnion && issue.errors.length > 0) {
      return nearestOption(issue.errors.map((errors, index) => faults(errors, here.options[index] ?? here, at)));
    }
    const missing =
      issue.code === 'invalid_type' && issue.input === undefined && issue.message.endsWith('received undefined');
    return [{ field: at.join('.'), message: missing ? `is missing, expected ${issue.expected}` : issue.message }];
  });
}

/** Of the faults against each option of a union, those of the one that was most likely meant. */
function nearestOption(options: Fault[][]): Fault[] {
  const depth = (found: Fault[]) => Math.max(...found.map(({ field }) => field.split('.').length));
  return options.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0] ?? [];
}

function descend(schema: z.core.$ZodType, path: Path): z.core.$ZodType {
  const here = unwrap(schema);
  const [key, ...rest] = path;
  if (key === undefined) return here;
  if (here instanceof z.ZodObject) return descend(here.shape[String(key)] ?? z.unknown(), rest);
  if (here instanceof z.ZodArray) return descend(here.element, rest);
  return here instanceof z.ZodRecord ? descend(here.valueType, rest) : z.unknown();
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return unwrap(schema.unwrap());
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.in) : schema;
}
