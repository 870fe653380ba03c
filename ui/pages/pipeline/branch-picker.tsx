/** Which branch: the one that is built by default first, then branches, then tags and requests. */
import { useQuery } from '@tanstack/react-query';
import { branches } from '../../api/queries.ts';
import type { Pipeline } from '../../api/types.ts';
import { Branch } from '../../components/branch.tsx';
import { branchLabel } from '../../components/branch-label.ts';
import { Picker } from '../../components/picker.tsx';
import { Revision } from '../../components/short.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './pickers.module.css';
import { PIPELINE_WORDS } from './words.ts';

export interface Branches {
  /** The one that is meant where none is named; empty until it is known. */
  first: string;
  /** Newest revisions are there once the repository has answered. */
  items: { branch: string; revision?: string }[];
  error: Error | null;
  loading: boolean;
}

export function useBranches(project: string, { name, source }: Pipeline): Branches {
  const { data, error, isPending } = useQuery({ ...branches(project, name), staleTime: 10_000 });
  const named = source.branches.filter((each) => !/[*?[{!]/.test(each));
  const heads = data?.items ?? [];
  const first = named.find((each) => each === source.branches[0]) ?? heads[0]?.branch ?? '';
  const gone = named.filter((each) => !heads.some(({ branch }) => branch === each));
  const items = [...heads, ...(data ? [] : gone.map((branch) => ({ branch })))].toSorted(
    (a, b) => rank(a.branch, first) - rank(b.branch, first),
  );
  return { first, items, error, loading: isPending };
}

const rank = (branch: string, first: string): number =>
  branch === first ? 0 : !branch.startsWith('refs/') ? 1 : branch.startsWith('refs/tags/') ? 2 : 3;

interface BranchPickerProps {
  branches: Branches;
  value: string;
  onPick: (branch: string) => void;
}

export function BranchPicker({ branches: { items, error, loading }, value, onPick }: BranchPickerProps) {
  const t = useText();
  const words = useText(PIPELINE_WORDS);
  const asItem = (branch: string, revision?: string) => ({
    key: branch,
    text: branchLabel(t, branch),
    search: `${branch} ${branchLabel(t, branch)}`,
    show: (
      <span className={css.branch}>
        <Branch of={branch} />
        {revision && <Revision of={revision} />}
      </span>
    ),
  });
  return (
    <Picker
      label={t('pipeline.branch')}
      items={items.map(({ branch, revision }) => asItem(branch, revision))}
      value={value}
      onPick={onPick}
      // Where they cannot be listed, one can still be named.
      typed={(text) => (error && text !== '' ? asItem(text) : null)}
      hint={error ? words('run.noBranches', { error: error.message }) : loading && t('page.loading')}
    />
  );
}
