import type { Pipeline } from '../../api/types.ts';
import { Status } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './pipeline.module.css';
import { PIPELINE_WORDS } from './words.ts';

/** Where it comes from, and what of it cannot be told to others. */
export function Source({ pipeline: { source, status } }: { pipeline: Pipeline }) {
  const t = useText(PIPELINE_WORDS);
  return (
    <>
      <p className={css.source}>
        {source.kind === 'git' ? 'Git' : 'SVN'} <code>{source.url}</code>
      </p>
      {status?.error && (
        <p className={css.untold} role="status">
          <Status name="unstable">{t('settings.untold')}</Status> {status.error}
        </p>
      )}
    </>
  );
}
