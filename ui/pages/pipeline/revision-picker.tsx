/** Which revision of a branch: the newest, one of those before it, or one that is typed. */
import { useQuery } from '@tanstack/react-query';
import { revisions } from '../../api/queries.ts';
import type { Change, Pipeline } from '../../api/types.ts';
import { Picker, type PickerItem } from '../../components/picker.tsx';
import { firstLine, shortRevision } from '../../components/short.tsx';
import { useText } from '../../i18n/text.tsx';
import { ChangeText } from './change-text.tsx';
import css from './pickers.module.css';
import { PIPELINE_WORDS } from './words.ts';

interface RevisionPickerProps {
  project: string;
  pipeline: Pipeline;
  branch: string;
  /** Empty for the newest. */
  value: string;
  onPick: (revision: string) => void;
}

export function RevisionPicker({ project, pipeline, branch, value, onPick }: RevisionPickerProps) {
  const t = useText();
  const words = useText(PIPELINE_WORDS);
  const query = useQuery({
    ...revisions(project, pipeline.name, branch),
    enabled: branch !== '',
    staleTime: 10_000,
  });
  const changes = query.data?.items ?? [];
  const [newest] = changes;
  const head: PickerItem = {
    key: '',
    text: newest ? words('run.newestIs', { what: labelOf(newest) }) : t('pipeline.newest'),
    search: t('pipeline.newest'),
    show: <strong>{t('pipeline.newest')}</strong>,
  };
  const typed = (text: string): PickerItem | null => {
    const revision = revisionOf(pipeline.source.kind, text);
    if (revision === null) return null;
    return { key: revision, text: words('run.typed', { revision: shortRevision(revision) }) };
  };
  return (
    <Picker
      label={t('pipeline.revision')}
      items={[head, ...changes.map(asItem)]}
      value={value}
      onPick={onPick}
      typed={typed}
      hint={query.error ? query.error.message : query.isFetching && changes.length === 0 && t('page.loading')}
    />
  );
}

const labelOf = ({ revision, message, author }: Change): string =>
  [shortRevision(revision), firstLine(message), author].filter(Boolean).join(' · ');

const searchOf = ({ revision, message, author, email }: Change): string =>
  [revision, shortRevision(revision), message, author, email].filter(Boolean).join(' ');

const asItem = (change: Change): PickerItem => ({
  key: change.revision,
  text: labelOf(change),
  search: searchOf(change),
  show: (
    <span className={css.revision}>
      <ChangeText change={change} />
    </span>
  ),
});

/** What was typed, as the server takes it: an older one than are listed. */
function revisionOf(kind: 'git' | 'svn', text: string): string | null {
  if (kind === 'svn') return /^r?(\d{1,10})$/i.exec(text)?.[1] ?? null;
  return /^[0-9a-f]{4,64}$/i.test(text) ? text.toLowerCase() : null;
}
