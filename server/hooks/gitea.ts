/**
 * Hooks of Gitea, Forgejo and Gogs, which are shaped like GitHub's: https://docs.gitea.com/usage/webhooks and, since that
 * page is thin, https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go
 */
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../pipelines/errors.ts';
import { formPayload, isForm } from './body.ts';
import type { Reading } from './event.ts';
import { readGitHub } from './github.ts';
import { demandHexSignature, header } from './signature.ts';

/** Unlike GitHub, Gitea signs the JSON even where it then sends it as a form. */
export function demandGitea(headers: IncomingHttpHeaders, raw: Buffer, secret: string): void {
  const signed = isForm(headers) ? (payloadOrNull(raw) ?? raw) : raw;
  // Given twice or wrongly, it must not fall back to the other one.
  if (headers['x-gitea-signature'] !== undefined) {
    demandHexSignature(header(headers, 'x-gitea-signature'), '', secret, signed);
  } else {
    demandHexSignature(header(headers, 'x-hub-signature-256'), 'sha256=', secret, signed);
  }
}

function payloadOrNull(raw: Buffer): Buffer | null {
  try {
    return formPayload(raw);
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** "Test delivery" is a push of the default branch that moves nothing. */
export function readGitea(event: string, body: unknown): Reading {
  const reading = readGitHub(event, body);
  const still = reading.refs.some((ref) => ref.kind === 'pushed' && ref.before === ref.after);
  return still ? { ...reading, kind: 'ping', refs: [] } : reading;
}
