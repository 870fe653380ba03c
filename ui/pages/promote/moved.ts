import type { Diff } from '../../api/types.ts';
import type { Text } from '../../i18n/text.tsx';

/** What of a reviewed promotion is no longer as it was, as sentences. */
export function whatMoved(seen: Diff, now: Diff, t: Text): string[] {
  const moved: string[] = [];
  if (seen.current !== now.current)
    moved.push(t('moved.current', { from: seen.current ?? '–', to: now.current ?? '–' }));
  if (!same(seen.images, now.images)) moved.push(t('moved.images'));
  if (!same([seen.variables, seen.compose], [now.variables, now.compose])) moved.push(t('moved.config'));
  if (!same(seen.secrets, now.secrets)) moved.push(t('moved.secrets'));
  return moved;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
