import type { Pipeline } from '../../api/types.ts';
import css from './pipeline.module.css';

/** Where it comes from. */
export const Source = ({ pipeline: { source } }: { pipeline: Pipeline }) => (
  <p className={css.source}>
    {source.kind === 'git' ? 'Git' : 'SVN'} <code>{source.url}</code>
  </p>
);
