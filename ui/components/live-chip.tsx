/** Whether what is on the page is what is so. */
import { useLiveness } from '../api/events.ts';
import { useLanguage, useText } from '../i18n/text.tsx';
import css from './live-chip.module.css';

export function LiveChip() {
  const t = useText();
  const { language } = useLanguage();
  const { state, heardAt } = useLiveness();
  const time = heardAt && new Date(heardAt).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });
  return (
    <span className={`${css.chip} ${state === 'live' ? css.live : css.away}`} role="status">
      <span className={css.dot} aria-hidden="true" />
      {t(`live.${state}`)}
      {state !== 'live' && time && <span> · {t('live.asOf', { time })}</span>}
    </span>
  );
}
