import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { AppError, conflict, invalid, RemoteError } from '../../pipelines/errors.ts';
import { parse, problemOf } from '../../server/problem.ts';

test.each<[Error, object]>([
  [
    invalid('kind: is wrong', 'source.kind'),
    { status: 422, type: 'urn:slipway:problem:invalid', field: 'source.kind' },
  ],
  [new AppError('not_found', 'no'), { status: 404, title: 'Not Found', type: 'urn:slipway:problem:not-found' }],
  [conflict('closed', { gates: [] }), { status: 409, gates: [] }],
  [new RemoteError('registry', 'auth', 'refused'), { status: 502, party: 'registry', fault: 'auth' }],
  [new AppError('too_large', 'big'), { status: 413 }],
  [Object.assign(new Error('x'), { status: 400, type: 'entity.parse.failed' }), { status: 400 }],
])('%s', (error, expected) => {
  expect(problemOf(error)).toMatchObject(expected);
});

test('further members do not overwrite those of the standard', () => {
  expect(problemOf(conflict('closed', { status: 200, detail: 'open' }))).toMatchObject({
    status: 409,
    detail: 'closed',
  });
});

test.each([new Error('a bug'), 'text', undefined, Object.assign(new Error('x'), { status: 500 })])(
  '%s is ours',
  (error) => {
    expect(problemOf(error)).toBeNull();
  },
);

describe('parse', () => {
  const schema = z.strictObject({
    engine: z.strictObject({ host: z.string() }).optional(),
    login: z
      .union([z.strictObject({ token: z.string() }), z.strictObject({ username: z.string(), password: z.string() })])
      .nullable()
      .optional(),
    items: z.array(z.strictObject({ count: z.number() })).default([]),
  });
  const fault = (input: unknown) => {
    try {
      parse(schema, input);
      return null;
    } catch (error) {
      return error instanceof AppError ? `${error.field}|${error.message}` : error;
    }
  };

  test.each<[unknown, string]>([
    [{ engine: {} }, 'engine.host|engine.host: is missing, expected string'],
    [{ engine: { hsot: 'x' } }, 'engine.hsot|engine.hsot: unknown field: did you mean "host"?'],
    [
      { items: [{ count: 1 }, { count: 'x' }] },
      'items.1.count|items.1.count: Invalid input: expected number, received string',
    ],
    [{ login: { username: 'ann' } }, 'login.password|login.password: is missing, expected string'],
    [{ login: { tokn: 'x' } }, 'login.tokn|login.tokn: unknown field: did you mean "token"?'],
    [[], '|Invalid input: expected object, received array'],
  ])('%j', (input, expected) => {
    expect(fault(input)).toBe(expected);
  });
});
