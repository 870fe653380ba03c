import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greet } from '../greet.js';

test('greets by name', () => {
  assert.equal(greet('Ada'), 'Hello, Ada!');
});

test('greets as the greetings service says', { skip: !process.env.GREETINGS_URL }, async () => {
  const response = await fetch(process.env.GREETINGS_URL);
  assert.equal(greet('Ada', (await response.text()).trim()), 'Hello, Ada!');
});
