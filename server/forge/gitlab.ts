/**
 * `POST /projects/{id}/statuses/{sha}`
 * https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
 */
import { isForeign, tagOf } from '../../pipelines/branches.ts';
import { type CommitState, type ForgeRequest, jsonRequest, type StatusTarget } from './target.ts';

/** Its `failed` is also what broke on our side: it has no "error". */
const WORDS: Record<CommitState, string> = {
  pending: 'pending',
  success: 'success',
  failure: 'failed',
  error: 'failed',
  cancelled: 'canceled',
};

export function gitlabStatus(target: StatusTarget, state: CommitState): ForgeRequest {
  const project = encodeURIComponent(target.repository.join('/'));
  const { branch } = target;
  const url = `${target.base}/api/v4/projects/${project}/statuses/${encodeURIComponent(target.sha)}`;
  return jsonRequest(
    url,
    { 'private-token': target.token },
    {
      state: WORDS[state],
      // A merge request shows what is said of its source branch, which GitLab finds by the commit where no ref is given;
      // `refs/merge-requests/7/head` would make a pipeline that belongs to no merge request.
      ...(isForeign(branch) ? {} : { ref: tagOf(branch) ?? branch }),
      name: target.context,
      target_url: target.link,
      description: target.description,
    },
  );
}
