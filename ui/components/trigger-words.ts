import type { Build } from '../api/types.ts';
import type { Text } from '../i18n/text.tsx';

/** Why there is a build: `new commit`, `run by hand (mei)`. */
export const triggerWords = (t: Text, { trigger, requestedBy }: Pick<Build, 'trigger' | 'requestedBy'>): string =>
  requestedBy === null
    ? t(`trigger.${trigger}`)
    : t('trigger.by', { trigger: t(`trigger.${trigger}`), name: requestedBy });
