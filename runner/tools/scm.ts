import type { SourceSpec } from '../../pipelines/model.ts';
import type { Scm } from '../../pipelines/ports.ts';
import { GitScm } from './git.ts';
import type { ScmOptions } from './scm-options.ts';
import { SvnScm } from './svn.ts';

/** The implementation for a kind of source. */
export const scmFor = (kind: SourceSpec['kind'], options: ScmOptions): Scm =>
  kind === 'git' ? new GitScm(options) : new SvnScm(options);
