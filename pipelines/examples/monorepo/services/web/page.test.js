import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './page.js';

test('shows the price', () => assert.match(page('2.50'), /Tea: 2\.50/));
