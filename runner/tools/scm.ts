import { invalid } from '../../pipelines/errors.ts';
import type { SourceSpec } from '../../pipelines/model.ts';
import type { Scm } from '../../pipelines/ports.ts';
import { GitScm } from './git.ts';
import type { GitOptions } from './git-environment.ts';

/** The implementation for a kind of source. Throws `invalid` (field `source.kind`) where there is none. */
export function scmFor(kind: SourceSpec['kind'], options: GitOptions): Scm {
  if (kind === 'git') return new GitScm(options);
  throw invalid('SVN sources are not supported by this version yet', 'source.kind');
}
