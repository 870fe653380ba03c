/**
 * Hooks of GitLab: https://docs.gitlab.com/user/project/integrations/webhook_events/
 * Its "Test" button sends a true push of the default branch, without a mark: it is a push, and of a head that was built.
 * A push of more than three branches or tags (`push_event_hooks_limit`) sends no hook at all: polling finds those.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { invalid } from '../../pipelines/errors.ts';
import { parse } from '../problem.ts';
import { addresses, Branch, CommitId, moved, Number32, type PullRequestRef, type Reading, RefName } from './event.ts';
import { demandStandardSignature, demandToken, fingerprint, header, isSigningKey } from './signature.ts';

const isSigned = (headers: IncomingHttpHeaders, secret: string): boolean =>
  headers['webhook-signature'] !== undefined && isSigningKey(secret);

/**
 * A signing token (`whsec_…`) signs, a secret token is sent along as `X-Gitlab-Token`. A hook may have both, and ours is one
 * of them: which, its form says. A signed hook cannot be sent again as an unsigned one by who only saw it pass: that needs the secret.
 * https://docs.gitlab.com/user/project/integrations/webhooks/#validate-payloads-with-a-signing-token
 */
export function demandGitLab(headers: IncomingHttpHeaders, raw: Buffer, secret: string, now: number): void {
  if (isSigned(headers, secret)) demandStandardSignature(headers, secret, raw, now);
  else demandToken(header(headers, 'x-gitlab-token'), secret);
}

/**
 * The id that was signed; else `Idempotency-Key`, the same for each retry since GitLab 17.4. Before that there is only
 * `X-Gitlab-Event-UUID`, which all hooks that follow from one event have in common, so that the body must tell them apart;
 * and before 14.8 not even that: the body alone.
 */
export function gitLabDelivery(headers: IncomingHttpHeaders, raw: Buffer, secret: string): string {
  if (isSigned(headers, secret)) return header(headers, 'webhook-id') ?? '';
  const key = headers['idempotency-key'];
  if (key !== undefined) return header(headers, 'idempotency-key') ?? '';
  const uuid = header(headers, 'x-gitlab-event-uuid');
  return uuid === undefined ? fingerprint(raw) : `${uuid}:${fingerprint(raw)}`;
}

const Word = z.string().max(100);
/** Hooks of a whole installation have `event_name` for what concerns no repository. */
const Any = z.object({
  object_kind: Word.optional(),
  /** Of system hooks. */
  event_name: Word.optional(),
  project: z.unknown().optional(),
  repository: z.unknown().optional(),
});
const Push = z.object({ ref: RefName, before: CommitId, after: CommitId });
const MergeRequest = z.object({
  object_attributes: z.object({
    iid: Number32,
    action: Word.optional(),
    oldrev: z.string().nullish(),
    last_commit: z.object({ id: CommitId }),
    source_project_id: z.int().nullish(),
    target_project_id: z.int(),
    target_branch: Branch,
  }),
});

export function readGitLab(body: unknown): Reading {
  const { object_kind, event_name, project, repository } = parse(Any, body);
  const event = object_kind ?? event_name;
  if (event === undefined) throw invalid('object_kind: is missing', 'object_kind');
  // Until 8.x there was no `project`.
  const repositories = addresses(project ?? repository, 'git_http_url', 'git_ssh_url', 'web_url');
  return { event, repositories, ...readEvent(event, body) };
}

function readEvent(event: string, body: unknown): Pick<Reading, 'kind' | 'refs'> {
  switch (event) {
    case 'push':
    case 'tag_push': {
      const { ref, before, after } = parse(Push, body);
      return moved(ref, before, after);
    }
    case 'merge_request':
      return { kind: 'pull-request', refs: [mergeRequest(parse(MergeRequest, body))] };
    default:
      return { kind: 'other', refs: [] };
  }
}

function mergeRequest({ object_attributes: request }: z.infer<typeof MergeRequest>): PullRequestRef {
  return {
    kind: 'pull-request',
    number: request.iid,
    action: actionOf(request.action, typeof request.oldrev === 'string'),
    ref: `refs/merge-requests/${request.iid}/head`,
    head: request.last_commit.id,
    base: `refs/heads/${request.target_branch}`,
    fork: request.source_project_id !== request.target_project_id,
  };
}

/** An `update` is about commits only where it has `oldrev`. */
function actionOf(action: string | undefined, hasOldRevision: boolean): PullRequestRef['action'] {
  if (action === 'open' || action === 'reopen') return 'opened';
  if (action === 'close' || action === 'merge') return 'closed';
  return action === 'update' && hasOldRevision ? 'updated' : 'other';
}
