/** Hooks of GitHub: https://docs.github.com/webhooks/webhook-events-and-payloads */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { parse } from '../problem.ts';
import { addresses, Branch, CommitId, moved, Number32, type PullRequestRef, type Reading, RefName } from './event.ts';
import { demandHexSignature, header } from './signature.ts';

/** https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries; of a form, the form is signed. */
export const demandGitHub = (headers: IncomingHttpHeaders, raw: Buffer, secret: string): void =>
  demandHexSignature(header(headers, 'x-hub-signature-256'), 'sha256=', secret, raw);

const Push = z.object({ ref: RefName, before: CommitId, after: CommitId });
const Delete = z.object({ ref: z.string().max(1000), ref_type: z.enum(['branch', 'tag']) });
const Side = z.object({ repo: z.object({ id: z.int() }).nullable() });
const PullRequest = z.object({
  action: z.string().max(100),
  number: Number32,
  pull_request: z.object({ head: Side.extend({ sha: CommitId }), base: Side.extend({ ref: Branch }) }),
});
const Repository = z.object({ repository: z.unknown().optional() });

/** A `create` brings nothing that the `push` beside it does not tell better. */
export function readGitHub(event: string, body: unknown): Reading {
  const { repository } = parse(Repository, body);
  const repositories = addresses(repository, 'clone_url', 'ssh_url', 'git_url', 'html_url');
  return { event, repositories, ...readEvent(event, body) };
}

function readEvent(event: string, body: unknown): Pick<Reading, 'kind' | 'refs'> {
  switch (event) {
    case 'push': {
      const { ref, before, after } = parse(Push, body);
      return moved(ref, before, after);
    }
    case 'delete':
      return { kind: 'delete', refs: [{ kind: 'deleted', ref: fullName(parse(Delete, body)), before: null }] };
    case 'pull_request':
      return { kind: 'pull-request', refs: [pullRequest(parse(PullRequest, body))] };
    case 'ping':
      return { kind: 'ping', refs: [] };
    default:
      return { kind: 'other', refs: [] };
  }
}

const fullName = ({ ref, ref_type: type }: z.infer<typeof Delete>): string =>
  parse(z.object({ ref: RefName }), { ref: `refs/${type === 'tag' ? 'tags' : 'heads'}/${ref}` }).ref;

/** Gitea's word is `synchronized`. */
const ACTIONS: Readonly<Record<string, PullRequestRef['action']>> = {
  opened: 'opened',
  reopened: 'opened',
  synchronize: 'updated',
  synchronized: 'updated',
  closed: 'closed',
};

function pullRequest({ action, number, pull_request: { head, base } }: z.infer<typeof PullRequest>): PullRequestRef {
  return {
    kind: 'pull-request',
    number,
    action: Object.hasOwn(ACTIONS, action) ? (ACTIONS[action] ?? 'other') : 'other',
    ref: `refs/pull/${number}/head`,
    head: head.sha,
    base: `refs/heads/${base.ref}`,
    fork: head.repo === null || head.repo.id !== base.repo?.id,
  };
}
