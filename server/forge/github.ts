/**
 * `POST /repos/{owner}/{repo}/statuses/{sha}`
 * https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
 */
import type { CommitState, ForgeRequest, StatusTarget } from './target.ts';

/** It has no word for "cancelled": nobody's code said no, so it is an error. */
const WORDS: Record<CommitState, string> = {
  pending: 'pending',
  success: 'success',
  failure: 'failure',
  error: 'error',
  cancelled: 'error',
};

export function githubStatus(target: StatusTarget, state: CommitState): ForgeRequest {
  const path = [...target.repository, 'statuses', target.sha].map(encodeURIComponent).join('/');
  return {
    method: 'POST',
    url: `${apiOf(target.base)}/repos/${path}`,
    headers: {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${target.token}`,
      'content-type': 'application/json',
      'user-agent': 'slipway',
      'x-github-api-version': '2022-11-28',
    },
    body: JSON.stringify({
      state: WORDS[state],
      target_url: target.link,
      description: target.description,
      context: target.context,
    }),
  };
}

/** github.com and its data residency (`*.ghe.com`) have a host for the API; an Enterprise Server has a path. */
function apiOf(base: string): string {
  const { host, hostname } = new URL(base);
  if (/^(?:(?:www|api)\.)?github\.com$/.test(hostname)) return 'https://api.github.com';
  if (hostname.endsWith('.ghe.com')) return `https://api.${host.replace(/^api\./, '')}`;
  return `${base}/api/v3`;
}
