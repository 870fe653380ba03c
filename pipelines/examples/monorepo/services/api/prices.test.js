import assert from 'node:assert/strict';
import { test } from 'node:test';
import { priceOf } from './prices.js';

test('knows what tea costs', () => assert.equal(priceOf('tea'), '2.50'));
test('does not sell air', () => assert.equal(priceOf('air'), undefined));
