/** Incoming hooks: first who sent it, then what it says. Pure: nothing is looked up, and nothing happens. */
import type { IncomingHttpHeaders } from 'node:http';
import { invalid } from '../../pipelines/errors.ts';
import { FORM_TYPE, JSON_TYPE, parseBody } from './body.ts';
import type { HookEvent, HookKind, Reading } from './event.ts';
import { demandGitea, readGitea } from './gitea.ts';
import { demandGitHub, readGitHub } from './github.ts';
import { demandGitLab, gitLabDelivery, readGitLab } from './gitlab.ts';
import { header } from './signature.ts';
import { demandSvn, readSvn } from './svn.ts';

export type {
  DeletedRef,
  HookEvent,
  HookKind,
  HookRef,
  PullRequestRef,
  PushedRef,
  SvnRevision,
} from './event.ts';

export const HOOK_KINDS: readonly HookKind[] = ['github', 'gitlab', 'gitea', 'svn'];

interface Reader {
  types: readonly string[];
  /** Throws `unauthenticated`. */
  demand(headers: IncomingHttpHeaders, raw: Buffer, secret: string, now: number): void;
  delivery(headers: IncomingHttpHeaders, raw: Buffer, secret: string): string;
  read(headers: IncomingHttpHeaders, body: unknown): Reading;
}

const readers: Readonly<Record<HookKind, Reader>> = {
  github: {
    types: [JSON_TYPE, FORM_TYPE],
    demand: demandGitHub,
    delivery: (headers) => header(headers, 'x-github-delivery') ?? '',
    read: (headers, body) => readGitHub(eventName(headers, 'x-github-event'), body),
  },
  gitlab: {
    types: [JSON_TYPE],
    demand: demandGitLab,
    delivery: gitLabDelivery,
    read: (_headers, body) => readGitLab(body),
  },
  gitea: {
    types: [JSON_TYPE, FORM_TYPE],
    demand: demandGitea,
    delivery: (headers) => header(headers, 'x-gitea-delivery') ?? '',
    read: (headers, body) => readGitea(eventName(headers, 'x-gitea-event'), body),
  },
  svn: {
    types: [JSON_TYPE],
    demand: demandSvn,
    delivery: (headers) => header(headers, 'x-slipway-delivery') ?? '',
    read: (_headers, body) => readSvn(body),
  },
};

/**
 * Reads a hook with the headers `headers` and the body `raw`, as bytes; `now` is the wall time in epoch ms, for signatures
 * that expire. Throws `unauthenticated` before it looks at the body, `MediaTypeError` for what is neither JSON nor a form
 * with JSON, and `invalid`, with the field, for a body or header that is not what the sender documents.
 */
export function readHook(
  kind: HookKind,
  headers: IncomingHttpHeaders,
  raw: Buffer,
  secret: string,
  now: number,
): HookEvent {
  const reader = readers[kind];
  reader.demand(headers, raw, secret, now);
  const delivery = reader.delivery(headers, raw, secret);
  if (!/^[\w.:-]{8,128}$/.test(delivery)) {
    throw invalid('the id of the delivery is missing, or not 8 to 128 letters, digits and .:_-', 'delivery');
  }
  return { delivery, ...reader.read(headers, parseBody(headers, raw, reader.types)) };
}

function eventName(headers: IncomingHttpHeaders, name: string): string {
  const event = header(headers, name);
  if (event === undefined || !/^\w{1,64}$/.test(event)) throw invalid(`the header ${name} must name the event`, name);
  return event;
}
