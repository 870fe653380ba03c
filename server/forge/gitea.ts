/**
 * `POST /repos/{owner}/{repo}/statuses/{sha}`, of Gitea and Forgejo alike
 * https://docs.gitea.com/api/#tag/repository/operation/repoCreateStatus
 */
import type { CommitState, ForgeRequest, StatusTarget } from './target.ts';

/** Its `warning` lets a commit be merged, which a cancelled build must not. */
const WORDS: Record<CommitState, string> = {
  pending: 'pending',
  success: 'success',
  failure: 'failure',
  error: 'error',
  cancelled: 'error',
};

export function giteaStatus(target: StatusTarget, state: CommitState): ForgeRequest {
  const path = [...target.repository, 'statuses', target.sha].map(encodeURIComponent).join('/');
  return {
    method: 'POST',
    url: `${target.base}/api/v1/repos/${path}`,
    headers: {
      accept: 'application/json',
      authorization: `token ${target.token}`,
      'content-type': 'application/json',
      'user-agent': 'slipway',
    },
    body: JSON.stringify({
      state: WORDS[state],
      target_url: target.link,
      description: target.description,
      context: target.context,
    }),
  };
}
