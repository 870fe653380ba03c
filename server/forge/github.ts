/**
 * `POST /repos/{owner}/{repo}/statuses/{sha}` of GitHub, and of Gitea and Forgejo, which took it over.
 * https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
 * https://docs.gitea.com/api/#tag/repository/operation/repoCreateStatus
 */
import { type CommitState, type ForgeRequest, jsonRequest, type StatusTarget } from './target.ts';

/**
 * Neither has a word for "cancelled": nobody's code said no, so it is an error. Gitea's `warning` would let a commit be merged,
 * which a cancelled build must not.
 */
const WORDS: Record<CommitState, string> = {
  pending: 'pending',
  success: 'success',
  failure: 'failure',
  error: 'error',
  cancelled: 'error',
};

export function githubStatus(target: StatusTarget, state: CommitState): ForgeRequest {
  const headers = {
    accept: 'application/vnd.github+json',
    authorization: `Bearer ${target.token}`,
    'x-github-api-version': '2022-11-28',
  };
  return jsonRequest(`${githubApi(target.base)}${pathOf(target)}`, headers, bodyOf(target, state));
}

export function giteaStatus(target: StatusTarget, state: CommitState): ForgeRequest {
  const headers = { authorization: `token ${target.token}` };
  return jsonRequest(`${target.base}/api/v1${pathOf(target)}`, headers, bodyOf(target, state));
}

const pathOf = ({ repository, sha }: StatusTarget): string =>
  `/repos/${[...repository, 'statuses', sha].map(encodeURIComponent).join('/')}`;

const bodyOf = ({ link, description, context }: StatusTarget, state: CommitState) => ({
  state: WORDS[state],
  target_url: link,
  description,
  context,
});

/** github.com and its data residency (`*.ghe.com`) have a host for the API; an Enterprise Server has a path. */
function githubApi(base: string): string {
  const { host, hostname } = new URL(base);
  if (/^(?:(?:www|api)\.)?github\.com$/.test(hostname)) return 'https://api.github.com';
  if (hostname.endsWith('.ghe.com')) return `https://api.${host.replace(/^api\./, '')}`;
  return `${base}/api/v3`;
}
