import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { moor } from './berths.mjs';

suite('berths', () => {
  test('a ship takes a berth', () => assert.deepEqual(moor([], ' Aurora '), [{ ship: 'Aurora' }]));
  test('the next one lies beside her', () => assert.equal(moor([{ ship: 'Aurora' }], 'Beagle').length, 2));
  test('no ship twice', () => assert.throws(() => moor([{ ship: 'Aurora' }], 'Aurora'), /here already/));
  test('no ship without a name', () => assert.throws(() => moor([], '  '), /needs a name/));
  test('no name without end', () => assert.throws(() => moor([], 'x'.repeat(41)), /40 letters/));
});
