/** A strict reading of mail addresses: what passes here cannot add a recipient or a header. */
import { invalid } from '../../pipelines/errors.ts';

export interface Address {
  name: string;
  address: string;
}

/** RFC 5322's dot-atom, and a host name of ASCII labels; no quoted local parts, comments, routes or literals. */
const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const pattern = new RegExp(`^${atom}(?:\\.${atom})*@${label}(?:\\.${label})*$`);

export const isAddress = (text: string): boolean => text.length <= 254 && text.indexOf('@') <= 64 && pattern.test(text);

/** Reads `a@b` or `Name <a@b>`; throws `AppError('invalid')` for everything else. */
export function parseAddress(text: string): Address {
  const [, name = '', address = ''] = /^([^<>\p{Cc}]*)<([^<>\s]+)>$/u.exec(text) ?? ['', '', text];
  if (!isAddress(address)) {
    throw invalid(`${JSON.stringify(text.slice(0, 80))} is not a mail address: expected name@host or Name <name@host>`);
  }
  return { name: name.trim().replace(/^"(.*)"$/, '$1'), address };
}
