/** What registries tell of pushed images. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { PushedImage } from '../../pipelines/watching.ts';
import { parse } from '../problem.ts';
import { JSON_TYPE, parseBody } from './body.ts';
import { demandToken, header } from './signature.ts';

const DISTRIBUTION = 'application/vnd.docker.distribution.events.v1+json';

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 digits');
/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
const Repository = z
  .string()
  .max(255)
  .regex(/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/, 'is not a repository');
const Tag = z.string().regex(/^\w[\w.-]{0,127}$/, 'is not a tag');

/** https://distribution.github.io/distribution/about/notifications/ */
const Envelope = z.object({ events: z.array(z.looseObject({ action: z.string() })).max(10_000) });
const Target = z.object({
  target: z.object({
    mediaType: z.string().default(''),
    repository: z.string(),
    digest: z.string(),
    tag: z.string().optional(),
  }),
});
const Manifest = z.object({
  target: z.object({ repository: Repository, digest: Digest, tag: Tag.optional() }),
});

/** https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/, format "Default". */
const Harbor = z.object({ type: z.string() });
const HarborPush = z.object({
  event_data: z.object({
    resources: z.array(z.object({ digest: Digest, tag: z.string().optional() })).max(10_000),
    repository: z.object({ repo_full_name: Repository }),
  }),
});

/**
 * The images that a notification says were pushed; an empty list for anything else that registries tell. The secret comes as
 * `Authorization: Bearer <secret>`, or bare, as Harbor sends its "Auth Header". Throws as `readHook` does.
 */
export function readRegistryHook(headers: IncomingHttpHeaders, raw: Buffer, secret: string): PushedImage[] {
  demandToken(header(headers, 'authorization')?.replace(/^Bearer /i, ''), secret);
  const body = parseBody(headers, raw, [DISTRIBUTION, JSON_TYPE]);
  const isEnvelope = typeof body === 'object' && body !== null && Object.hasOwn(body, 'events');
  return isEnvelope ? fromDistribution(body) : fromHarbor(body);
}

/** Layers are pushed, too: of them, and of what is mounted from elsewhere, nothing is said here. */
function fromDistribution(body: unknown): PushedImage[] {
  return parse(Envelope, body)
    .events.filter(({ action }) => action === 'push')
    .filter((event) => /\.manifest\.|\.image\.index\./.test(parse(Target, event).target.mediaType))
    .map((event) => {
      const { repository, tag = null, digest } = parse(Manifest, event).target;
      return { repository, tag, digest };
    });
}

/** Where an image was pushed by digest alone, Harbor gives the digest as its tag. */
function fromHarbor(body: unknown): PushedImage[] {
  if (parse(Harbor, body).type !== 'PUSH_ARTIFACT') return [];
  const { resources, repository } = parse(HarborPush, body).event_data;
  return resources.map(({ digest, tag }) => ({
    repository: repository.repo_full_name,
    tag: tag === undefined || tag === digest ? null : parse(z.object({ tag: Tag }), { tag }).tag,
    digest,
  }));
}
