import { describe, expect, it } from 'vitest';
import { AppError } from '../../pipelines/errors.ts';
import { isAddress, parseAddress } from '../../server/notify/address.ts';

describe('isAddress', () => {
  it.each(['a@b', 'ana.dvorak+ci@mail.example.com', 'root@localhost', "o'neil_x@sub-domain.example.org"])(
    'takes %s',
    (text) => {
      expect(isAddress(text)).toBe(true);
    },
  );

  it.each([
    '',
    'ana',
    '@example.com',
    'ana@',
    'a b@example.com',
    'a@b@example.com',
    '.a@example.com',
    'a..b@example.com',
    'a@-example.com',
    'a@example..com',
    'a@example.com.',
    'a@[127.0.0.1]',
    '"a b"@example.com',
    'a@example.com, evil@x.com',
    'a@b\r\nBcc: evil@x',
    'a@b\n',
    'a@b\u0000',
    '<a@b>',
    'аna@exаmple.com',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b.'.repeat(130)}com`,
  ])('refuses %j', (text) => {
    expect(isAddress(text)).toBe(false);
  });
});

describe('parseAddress', () => {
  it('reads a bare address', () => {
    expect(parseAddress('ci@example.com')).toEqual({ name: '', address: 'ci@example.com' });
  });

  it('reads a name before it, quoted or not', () => {
    expect(parseAddress('Slipway CI <ci@example.com>')).toEqual({ name: 'Slipway CI', address: 'ci@example.com' });
    expect(parseAddress('"Slipway, the CI" <ci@example.com>')).toEqual({
      name: 'Slipway, the CI',
      address: 'ci@example.com',
    });
  });

  it.each(['Slipway', 'x <a@b> <c@d>', 'x\r\nBcc: e@x <a@b>', 'x <a@b\r\nBcc: e@x>', 'a@b, c@d'])(
    'refuses %j',
    (text) => {
      expect(() => parseAddress(text)).toThrow(AppError);
    },
  );
});
