/** `mail` and `emailext`: who is told, and of what. */
import { faultOfMail } from '../../pipelines/values.ts';
import { type Context, textArgument } from './context.ts';
import type { Draft } from './draft.ts';
import type { Call } from './groovy.ts';

/** Adds whom a list names; what is no address is answered. */
export function addAddresses(draft: Draft, text: string, on: readonly string[]): string[] {
  const addresses = text.split(/[\s,;]+/).filter((address) => address !== '');
  const good = addresses.map((each) => each.replace(/^(cc|bcc):/, '')).filter((each) => faultOfMail(each) === null);
  for (const address of good) draft.mail.to.add(address);
  if (good.length > 0) for (const occasion of on) draft.mail.on.add(occasion);
  return addresses.filter((each) => faultOfMail(each.replace(/^(cc|bcc):/, '')) !== null);
}

/** False where it does not say to whom in so many words. */
export function keepMail(
  call: Call,
  { draft, scope }: Pick<Context, 'draft' | 'scope'>,
  on: readonly string[],
): boolean {
  const named = { ...call, args: [] };
  const to = ['to', 'cc', 'bcc'].map((key) => textArgument(named, key, scope) ?? '').join(',');
  const size = draft.mail.to.size;
  const wrong = addAddresses(draft, to, on);
  return (draft.mail.to.size > size || /@/.test(to)) && wrong.length === 0;
}
