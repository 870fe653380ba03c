import { expect, test } from 'vitest';
import { pipelineJsonSchema } from '../../pipelines/schema.ts';

interface Node {
  type?: string;
  description?: string;
  properties?: Record<string, Node>;
  additionalProperties?: Node | false;
  required?: string[];
}

test('the JSON Schema describes what a person writes', () => {
  const schema = pipelineJsonSchema() as Node & { $schema: string };
  expect(schema.$schema).toContain('json-schema.org');
  expect(Object.keys(schema.properties ?? {})).toEqual([
    'on',
    'env',
    'timeout',
    'parameters',
    'supersede',
    'quiet',
    'sources',
    'steps',
    'release',
    'notify',
  ]);
  expect(schema.required).toEqual(['steps']);
  expect(schema.additionalProperties).toBe(false);
  expect(schema.properties?.timeout).toMatchObject({ type: 'string' });
});

test('every key of a step says what it is for', () => {
  const { properties } = pipelineJsonSchema() as Node;
  const step = properties?.steps?.additionalProperties as Node;
  for (const [key, value] of Object.entries(step.properties ?? {})) expect(value.description, key).toBeTruthy();
});
