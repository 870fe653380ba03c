import { api } from '../../api/client.ts';
import type { Build, Step } from '../../api/types.ts';

/** Of the newest attempt; the server waits with a step that has not begun. */
export function logUrl({ project, pipeline, number }: Build, { name, attempt }: Step): string {
  const url = api`/projects/${project}/pipelines/${pipeline}/builds/${number}/steps/${name}/log`;
  return attempt > 0 ? `${url}?attempt=${attempt}` : url;
}
