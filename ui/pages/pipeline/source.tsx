import { useQuery } from '@tanstack/react-query';
import { watch } from '../../api/queries.ts';
import type { Pipeline } from '../../api/types.ts';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './pipeline.module.css';

/** Where it comes from, when it is looked at, and whether that works. */
export function Source({ project, pipeline }: { project: string; pipeline: Pipeline }) {
  const t = useText();
  const { data } = useQuery(watch(project, pipeline.name));
  return (
    <div className={css.source}>
      <span>
        {pipeline.source.kind === 'git' ? 'Git' : 'SVN'} <code>{pipeline.source.url}</code>
      </span>
      {data?.poll && (
        <span>
          {t('pipeline.poll')} <code>{data.poll}</code>
          {data.polledAt && (
            <>
              {' · '}
              <Ago at={data.polledAt} />
            </>
          )}
        </span>
      )}
      {data?.error && <span className={css.error}>{t('pipeline.pollError', { error: data.error })}</span>}
    </div>
  );
}
