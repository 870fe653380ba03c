/** Which repositories may be named at all. */
import type { SourceSpec } from '../../pipelines/model.ts';
import { checkSourceUrl } from '../../runner/tools/git-url.ts';
import { checkSvnUrl } from '../../runner/tools/svn-url.ts';
import type { Config } from '../config.ts';

/** Throws `invalid` (field `source.url`) unless the URL is one that its tool may be given. */
export function checkSource(
  { kind, url }: Pick<SourceSpec, 'kind' | 'url'>,
  { allowFileSources: allowFile }: Config,
): void {
  if (kind === 'git') checkSourceUrl(url, { allowFile });
  else checkSvnUrl(url, { allowFile });
}
