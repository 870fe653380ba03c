import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMasker } from '../../pipelines/mask.ts';
import { needlesOf } from '../../pipelines/mask-needles.ts';

const SECRET = 'pa$$ word/ü+"q"';

function mask(secrets: string[], ...chunks: (string | Uint8Array)[]): string {
  const masker = createMasker(secrets);
  const out = chunks.map((chunk) => Buffer.from(masker.push(Buffer.from(chunk))));
  return Buffer.concat([...out, masker.end()]).toString('latin1');
}

const latin1 = (text: string) => Buffer.from(text).toString('latin1');

describe('forms of a secret', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  test.each([
    ['plain', SECRET],
    ['hex', Buffer.from(SECRET).toString('hex')],
    ['upper-case hex', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['URL-encoded', encodeURIComponent(SECRET)],
    ['URL-encoded, lower case', encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase())],
    ['form-encoded', encodeURIComponent(SECRET).replaceAll('%20', '+')],
    ['JSON-escaped', JSON.stringify(SECRET).slice(1, -1)],
    ['JSON-escaped, ASCII', JSON.stringify(SECRET).slice(1, -1).replace('ü', '\\u00fc')],
  ])('%s', (_name, form) => {
    expect(mask([SECRET], `a ${form} b`)).toBe('a *** b');
  });

  test.each([0, 1, 2])('base64 at alignment %i, with anything around', (offset) => {
    for (const after of ['', 'y', 'yz']) {
      const text = base64('x'.repeat(offset) + SECRET + after);
      const masked = mask([SECRET], text);
      expect(masked).toContain('***');
      expect(masked.replace('***', '').length).toBeLessThanOrEqual(8);
      expect(mask([SECRET], text.replaceAll('+', '-').replaceAll('/', '_'))).toContain('***');
    }
  });

  test('a long secret as base64 wraps it', () => {
    const key = Array.from({ length: 150 }, (_, index) => String.fromCharCode(33 + ((index * 7) % 90))).join('');
    const wrapped = base64(`${key}\n`).replace(/.{76}/g, '$&\n');
    expect(mask([key], wrapped)).toMatch(/^(\*\*\*\n?)+.{0,4}$/s);
  });

  test('each line of a secret of several lines, but not short ones', () => {
    const key = '-----BEGIN KEY-----\r\nabcdefghijkl\nx\nmnopqrstuvwx\n';
    expect(mask([key], 'k: abcdefghijkl\n> mnopqrstuvwx\nx\n')).toBe('k: ***\n> ***\nx\n');
  });

  test('too short to hide anything', () => {
    expect(mask(['', 'abc'], 'abc abc')).toBe('abc abc');
  });
});

describe('streams', () => {
  test('no secrets: the very chunk comes out', () => {
    const chunk = Buffer.from('hello');
    const masker = createMasker([]);
    expect(masker.push(chunk)).toBe(chunk);
    expect(masker.end()).toHaveLength(0);
  });

  test('split at every byte', () => {
    const text = Buffer.from(`before ${SECRET} after`);
    for (let cut = 0; cut <= text.length; cut++) {
      expect(mask([SECRET], text.subarray(0, cut), text.subarray(cut))).toBe('before *** after');
    }
  });

  test('only a possible beginning is held back, and a reused buffer does no harm', () => {
    const masker = createMasker(['topsecret']);
    const buffer = Buffer.from('line\ntops');
    expect(Buffer.from(masker.push(buffer)).toString()).toBe('line\n');
    buffer.fill('#');
    expect(Buffer.from(masker.push(Buffer.from('ecret!'))).toString()).toBe('***!');
    expect(Buffer.from(masker.push(Buffer.from('top'))).toString()).toBe('');
    expect(Buffer.from(masker.end()).toString()).toBe('top');
    expect(Buffer.from(masker.push(Buffer.from('secrex'))).toString()).toBe('secrex');
  });

  test('bytes that are not UTF-8 stay as they are', () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80, ...Buffer.from('topsecret'), 0xc3]);
    expect(mask(['topsecret'], bytes)).toBe('\xff\xfe\x00\x80***\xc3');
  });

  test('colours in the middle of a secret, split at every byte', () => {
    const text = Buffer.from('\x1b[1mok\x1b[0m \x1b[31mtop\x1b[0;1msec\x1b[Kret\x1b[0m end \x1b');
    for (let cut = 0; cut <= text.length; cut++) {
      const masked = mask(['topsecret'], text.subarray(0, cut), text.subarray(cut));
      expect(masked).toBe('\x1b[1mok\x1b[0m \x1b[31m***\x1b[0m end \x1b');
    }
  });

  test('secrets that overlap are covered together', () => {
    expect(mask(['abcdef', 'defghi'], '-abcdefghi-')).toBe('-***-');
    expect(mask(['abcdef', 'abcdefghij'], 'abcdefgh abcdefghij')).toBe('***gh ***');
  });
});

describe('properties', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\x1b[1m', 'é'), maxLength: 60 });
  const secret = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é'), minLength: 4, maxLength: 9 });

  test('how the stream is cut makes no difference', () => {
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 3 }),
        letters,
        fc.array(fc.nat(80)),
        (secrets, text, cuts) => {
          const bytes = Buffer.from(text);
          const points = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
          const chunks = points.slice(1).map((end, index) => bytes.subarray(points[index], end));
          expect(mask(secrets, ...chunks)).toBe(mask(secrets, bytes));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('exactly the bytes of the needles are covered', () => {
    const plain = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é'), maxLength: 60 });
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 3 }), plain, (secrets, text) => {
        const bytes = latin1(text);
        const spans = needlesOf(secrets).flatMap((needle) => {
          const word = Buffer.from(needle).toString('latin1');
          return [...bytes].flatMap((_, start) =>
            bytes.startsWith(word, start) ? [[start, start + word.length]] : [],
          );
        });
        spans.sort(([a = 0], [b = 0]) => a - b);
        let out = '';
        let end = 0;
        for (const [start = 0, stop = 0] of spans) {
          if (start >= end) out += `${bytes.slice(end, start)}***`;
          end = Math.max(end, stop);
        }
        expect(mask(secrets, text)).toBe(out + bytes.slice(end));
      }),
      { numRuns: 1000 },
    );
  });
});
