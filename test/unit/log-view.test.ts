import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { segmentsOf, textOf } from '../../ui/log/ansi.ts';
import { extended, fragmentOf, parseFragment } from '../../ui/log/fragment.ts';
import { piecesOf } from '../../ui/log/pieces.ts';
import { heightOf, MAX_HEIGHT, maxTop, positionAt, ROW, rowsAt, scrolled, toScroll, toTop } from '../../ui/log/rows.ts';

const read = (line: string): string => textOf(segmentsOf(line));
const styled = (line: string) =>
  segmentsOf(line).map(({ text, style }) => [text, style.fg, style.bg, ...style.decorations]);

describe('a line as a terminal would leave it', () => {
  test.each([
    [
      'sixteen colours',
      '\x1b[31mred\x1b[97;44mboth\x1b[0m.',
      [
        ['red', 1, null],
        ['both', 15, 4],
        ['.', null, null],
      ],
    ],
    [
      '256 colours',
      '\x1b[38;5;208mo\x1b[38;5;9mb\x1b[48;5;240mg',
      [
        ['o', 'rgb(255, 135, 0)', null],
        ['b', 9, null],
        ['g', 9, 'rgb(88, 88, 88)'],
      ],
    ],
    ['true colour', '\x1b[1;38;2;1;2;3mx', [['x', 'rgb(1, 2, 3)', null, 'bold']]],
    ['colons between parameters', '\x1b[38:5:208mo', [['o', 'rgb(255, 135, 0)', null]]],
  ])('%s', (_, line, expected) => expect(styled(line)).toEqual(expected));

  test.each([
    ['a carriage return writes over', 'abc\rX', 'Xbc'],
    ['and keeps what it does not reach', '10%\r99%\rok', 'ok%'],
    ['erasing to the end', '10%\rok\x1b[K', 'ok'],
    ['erasing the line', 'abc\x1b[2Kx', 'x'],
    ['backspace', 'ab\b\bX', 'Xb'],
    ['the end of a line of Windows', 'abc\r', 'abc'],
    ['hyperlinks', '\x1b]8;;javascript:alert(1)\x1b\\text\x1b]8;;\x07!', 'text!'],
    ['titles, also unended ones', 'a\x1b]0;title', 'a'],
    ['cursor moves', 'a\x1b[5A\x1b[2J\x1b[Hb\x1b7c\x1b[?25l', 'abc'],
    ['eight-bit controls', 'a\x9b31mb\x9d8;;x\x9cc', 'abc'],
    ['other controls are shown', 'a\x00b\x07\x7f', 'a␀b␇␡'],
    ['so is what turns text round', 'a\u202eb\u2066', 'a⟨U+202E⟩b⟨U+2066⟩'],
    ['tabs stay', 'a\tb', 'a\tb'],
  ])('%s', (_, line, expected) => expect(read(line)).toBe(expected));

  test('whatever is printed, no control character is left', () => {
    const noise = fc.string({
      unit: fc.constantFrom('\x1b', '[', ']', 'm', '8', ';', '\x9b', '\r', '\b', '\x07', 'K', 'x', '\u202e'),
    });
    fc.assert(
      fc.property(noise, (line) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
        expect(read(line)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });
});

describe('the pieces of a line', () => {
  const cut = (line: string, query = '') => piecesOf(segmentsOf(line), query);
  const links = (line: string) => cut(line).flatMap(({ href }) => href ?? []);

  test('links go to the web only, and end where the sentence goes on', () => {
    expect(links('see https://a.example/x?y=1&z=2, (http://b.example/c(d)).')).toEqual([
      'https://a.example/x?y=1&z=2',
      'http://b.example/c(d)',
    ]);
    expect(links('javascript:alert(1) ftp://a.example data:text/html,x //b.example')).toEqual([]);
  });

  test('what is searched for is marked, whatever the case, also across colours', () => {
    const found = cut('a Nee\x1b[31mdle\x1b[0m b needle', 'needle').filter((piece) => piece.found);
    expect(found.map(({ text }) => text)).toEqual(['Nee', 'dle', 'needle']);
  });

  test('are the whole line, and never more than a page can bear', () => {
    const line = Array.from({ length: 500 }, (_, i) => `\x1b[3${i % 8}m${i}`).join('');
    const pieces = cut(line);
    expect(pieces.length).toBeLessThanOrEqual(60);
    expect(pieces.map(({ text }) => text).join('')).toBe(read(line));
  });
});

describe('the rows in sight', () => {
  const geometry = fc.record({ total: fc.nat(60_000_000), viewport: fc.integer({ min: 100, max: 2000 }) });

  test('the element is never higher than browsers can make it', () => {
    expect(heightOf({ total: 1000, viewport: 600 })).toBe(1000 * ROW);
    expect(heightOf({ total: 60_000_000, viewport: 600 })).toBe(MAX_HEIGHT);
  });

  test('both ends of a log of any length are reached, and what is between goes there and back', () => {
    fc.assert(
      fc.property(geometry, fc.double({ min: 0, max: 1, noNaN: true }), (g, share) => {
        const top = share * maxTop(g);
        expect(toTop(toScroll(top, g), g)).toBeCloseTo(top, 2);
        expect(toTop(toScroll(maxTop(g), g), g)).toBe(maxTop(g));
        expect(toScroll(0, g)).toBe(0);
        const { first, count } = rowsAt(top, g);
        expect(first * ROW).toBeLessThanOrEqual(top);
        expect((first + count) * ROW).toBeGreaterThanOrEqual(Math.min(g.total * ROW, top + g.viewport));
        expect(count).toBeLessThan(g.viewport / ROW + 24);
      }),
    );
  });

  test('the wheel moves as far in fifty million lines as in fifty', () => {
    const g = { total: 50_000_000, viewport: 600 };
    const middle = positionAt(500_000_000, g);
    expect(scrolled(middle, middle.scroll + 100, g).top).toBeCloseTo(500_000_100, 3);
    expect(scrolled(middle, middle.scroll - 100, g).top).toBeCloseTo(499_999_900, 3);
    expect(scrolled(middle, 0, g).top).toBe(0);
    expect(scrolled(middle, MAX_HEIGHT - 600, g).top).toBe(maxTop(g));
  });

  test('one who turns the wheel back comes to the first line', () => {
    const g = { total: 50_000_000, viewport: 600 };
    let position = positionAt(20_000, g);
    for (let turns = 0; turns < 500 && position.top > 0; turns++)
      position = scrolled(position, Math.max(0, position.scroll - 100), g);
    expect(position).toEqual({ top: 0, scroll: 0 });
  });
});

describe('lines in an address', () => {
  test.each([
    ['#unit:L7', { from: 7, to: 7 }],
    ['#unit:L7-L9', { from: 7, to: 9 }],
    ['#unit:L9-7', { from: 7, to: 9 }],
    ['#other:L7', null],
    ['#unit:L0', null],
    ['#unit', null],
  ])('%s', (hash, expected) => expect(parseFragment(hash, 'unit')).toEqual(expected));

  test('are written as they are read, and grow from where they began', () => {
    expect(fragmentOf('unit', { from: 7, to: 9 })).toBe('#unit:L7-L9');
    expect(extended({ from: 7, to: 7 }, 12)).toEqual({ from: 7, to: 12 });
    expect(extended({ from: 7, to: 9 }, 3)).toEqual({ from: 3, to: 9 });
    expect(extended(null, 3)).toEqual({ from: 3, to: 3 });
  });
});
