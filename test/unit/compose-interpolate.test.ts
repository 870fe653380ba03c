import { describe, expect, test } from 'vitest';
import { parseEnvFile } from '../../pipelines/compose/env-file.ts';
import { interpolate, interpolateTree } from '../../pipelines/compose/interpolate.ts';

const values: Record<string, string> = { A: 'a', EMPTY: '', DB: 'db' };
const lookup = (name: string) => values[name];

describe('interpolation', () => {
  test.each([
    ['plain', 'plain'],
    ['$A-${A}', 'a-a'],
    ['${NONE}', ''],
    ['${NONE:-d}', 'd'],
    ['${EMPTY:-d}', 'd'],
    ['${EMPTY-d}', ''],
    ['${NONE-d}', 'd'],
    ['${A:+x}${NONE:+x}${EMPTY:+x}${EMPTY+y}', 'xy'],
    ['${NONE:-${ALSO_NONE:-${DB}}/x}', 'db/x'],
    ['${NONE:-http://$DB:80}', 'http://db:80'],
    ['$$A $${A}', '$A ${A}'],
    ['${NONE:-a$$b}', 'a$b'],
    ['${A:?must be set}', 'a'],
    ['{"json": "${A}"}', '{"json": "a"}'],
  ])('%s is %s', (text, expected) => expect(interpolate(text, lookup)).toBe(expected));

  test.each([
    ['${NONE:?set it in the environment}', 'the variable NONE is required: set it in the environment'],
    ['${EMPTY:?}', 'the variable EMPTY is required but not set'],
    ['${A', 'bad variable syntax'],
    ['cost: 5$', 'bad variable syntax'],
    ['${1A}', 'bad variable syntax'],
    ['${A!x}', 'bad variable syntax'],
    ['${X:-'.repeat(50), 'bad variable syntax'],
  ])('%s is refused', (text, message) => expect(() => interpolate(text, lookup)).toThrow(message));

  test('what is required and unused is not asked for', () => {
    expect(interpolate('${A:-${NONE:?needed}}', lookup)).toBe('a');
  });

  test('a tree is filled in with the place of a fault as field', () => {
    expect(interpolateTree({ a: ['$A', 1, null], $A: true }, lookup)).toEqual({ a: ['a', 1, null], $A: true });
    expect(() => interpolateTree({ services: { web: { ports: ['${P:?which}'] } } }, lookup)).toThrow(
      expect.objectContaining({ code: 'invalid', field: 'services.web.ports[0]' }),
    );
  });
});

describe('env files', () => {
  const read = (text: string, raw = false) => parseEnvFile(text, 'x.env', lookup, raw);

  test('are read as people write them', () => {
    const text = [
      '\uFEFF# comment',
      'export PLAIN=value # comment',
      'HASH=a#b',
      'EMPTY=',
      "SINGLE='as $A \\n is' # comment",
      'DOUBLE="line\\nbreak \\"q\\" $A \\$A"',
      'MULTI="one',
      'two"',
      'URL=http://${DB}:80/${PLAIN}',
      'COLON: yes',
      'OUTSIDE',
    ].join('\r\n');
    expect(read(text)).toEqual({
      PLAIN: 'value',
      HASH: 'a#b',
      EMPTY: '',
      SINGLE: 'as $A \\n is',
      DOUBLE: 'line\nbreak "q" a $A',
      MULTI: 'one\ntwo',
      URL: 'http://db:80/value',
      COLON: 'yes',
      OUTSIDE: null,
    });
  });

  test('may be raw', () => expect(read('A="$B" # x', true)).toEqual({ A: '"$B" # x' }));

  test('faults name the line', () => {
    expect(() => read('A=1\n= 2')).toThrow('x.env:2: expected KEY=value');
    expect(() => read('A=1\nB="open')).toThrow('x.env:2: the quote is not closed');
    expect(() => read('PASSWORD=pa$')).toThrow('x.env:1: bad variable syntax');
  });
});
