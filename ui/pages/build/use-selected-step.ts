import { useLocation, useSearchParams } from 'react-router';
import type { Build, Step } from '../../api/types.ts';
import { nameInFragment } from '../../log/fragment.ts';
import { stepOfInterest } from './history.ts';

/** The step that the address names: by a line of its log, or by itself; else the one that one came to see. */
export function useSelectedStep({ steps }: Build): Step | undefined {
  const { hash } = useLocation();
  const [search] = useSearchParams();
  const named = (name: string | null) => steps.find((step) => step.name === name);
  return named(nameInFragment(hash)) ?? named(search.get('step')) ?? stepOfInterest(steps);
}
