/**
 * Hooks of SVN repositories. Subversion has no format of its own, so this is ours; server/hooks/scripts.ts writes the hooks
 * that send it. `X-Slipway-Signature: sha256=<HMAC-SHA256 of the body in hex>`, `X-Slipway-Delivery: <uuid>`, and
 * `{"repository": "<path or uuid>", "revision": 123, "paths": ["trunk/a.c"]}`, where `paths` may be left out.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { parse } from '../problem.ts';
import { addresses, Number32, type Reading } from './event.ts';
import { demandHexSignature, header } from './signature.ts';

export const demandSvn = (headers: IncomingHttpHeaders, raw: Buffer, secret: string): void =>
  demandHexSignature(header(headers, 'x-slipway-signature'), 'sha256=', secret, raw);

const Commit = z.object({
  repository: z.string().min(1).max(4096),
  revision: Number32,
  paths: z.array(z.string().max(4096)).max(100_000).default([]),
});

export function readSvn(body: unknown): Reading {
  const { repository, revision, paths } = parse(Commit, body);
  return {
    event: 'commit',
    kind: 'push',
    refs: [{ kind: 'revision', revision, paths }],
    repositories: addresses({ repository }, 'repository'),
  };
}
