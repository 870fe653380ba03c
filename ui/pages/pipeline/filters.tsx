/** What of the list is shown; it is in the URL. */
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { type BuildFilter, watch } from '../../api/queries.ts';
import { branchLabel } from '../../components/branch-label.ts';
import { useText } from '../../i18n/text.tsx';
import css from './pipeline.module.css';

const RESULTS = ['passed', 'failed', 'errored', 'cancelled'] as const;

export const filterOf = (search: URLSearchParams): BuildFilter => ({
  branch: search.get('branch') ?? undefined,
  result: search.get('result') ?? undefined,
  before: Number(search.get('before')) || undefined,
});

interface FiltersProps {
  project: string;
  pipeline: string;
  filter: BuildFilter;
}

export function Filters({ project, pipeline, filter }: FiltersProps) {
  const t = useText();
  const [, setSearch] = useSearchParams();
  const set = (name: 'result' | 'branch', value: string) =>
    setSearch((search) => {
      search.delete('before');
      if (value === '') search.delete(name);
      else search.set(name, value);
      return search;
    });
  return (
    <div className={css.filters}>
      <select
        aria-label={t('pipeline.result')}
        value={filter.result ?? ''}
        onChange={(event) => set('result', event.target.value)}
      >
        <option value="">{t('pipeline.allResults')}</option>
        {RESULTS.map((result) => (
          <option key={result} value={result}>
            {t(`status.${result}`)}
          </option>
        ))}
      </select>
      {/* A branch is asked for when it is whole, not at every letter. */}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          set('branch', String(new FormData(event.currentTarget).get('branch') ?? '').trim());
        }}
      >
        <input
          key={filter.branch}
          name="branch"
          type="search"
          defaultValue={filter.branch}
          placeholder={t('pipeline.allBranches')}
          aria-label={t('pipeline.branch')}
          list="watched"
          onBlur={(event) => event.target.value.trim() !== (filter.branch ?? '') && event.target.form?.requestSubmit()}
        />
        <Watched project={project} pipeline={pipeline} />
      </form>
    </div>
  );
}

/** What can be asked for; a tag or pull request by what people call it. */
function Watched({ project, pipeline }: Omit<FiltersProps, 'filter'>) {
  const t = useText();
  const { data } = useQuery(watch(project, pipeline));
  return (
    <datalist id="watched">
      {data?.items.map(({ branch }) => (
        <option key={branch} value={branch} label={branchLabel(t, branch)} />
      ))}
    </datalist>
  );
}

export function Older({ next }: { next: number | undefined }) {
  const t = useText();
  const [search] = useSearchParams();
  if (next === undefined) return null;
  const older = new URLSearchParams(search);
  older.set('before', String(next));
  return (
    <p>
      <Link to={`?${older}`}>{t('pipeline.older')}</Link>
    </p>
  );
}
