import type { KeyboardEvent, ReactNode, RefObject } from 'react';
import css from './log.module.css';
import type { Search } from './use-search.ts';
import { TIMES, type Times } from './use-times.ts';
import type { LogText } from './words.ts';

interface Props {
  t: LogText;
  field: RefObject<HTMLInputElement | null>;
  query: string;
  search: Search;
  onQuery(query: string): void;
  onStep(direction: 1 | -1): void;
  errors: Search;
  onError(): void;
  times: Times;
  onTimes(times: Times): void;
  follow: { on: boolean; toggle(): void } | null;
  onCopy: (() => void) | null;
  copied: boolean;
  rawUrl: string;
}

export function LogToolbar(props: Props) {
  const { t, errors, times, onTimes, follow, onCopy, copied } = props;
  return (
    <div className={css.toolbar}>
      <SearchBox {...props} />
      <Tool hint={t('log.nextErrorHint')} onClick={props.onError}>
        {t(errors.count === 0 ? 'log.noErrors' : 'log.nextError')}
        {errors.count ? ` ${errors.at}/${errors.count.toLocaleString()}` : ''}
      </Tool>
      <label className={css.tool}>
        {t('log.times')}{' '}
        <select value={times} onChange={(event) => onTimes(event.target.value as Times)}>
          {TIMES.map((each) => (
            <option key={each} value={each}>
              {t(`log.times.${each}`)}
            </option>
          ))}
        </select>
      </label>
      {follow && (
        <Tool hint={t('log.followHint')} onClick={follow.toggle} pressed={follow.on}>
          {t('log.follow')}
        </Tool>
      )}
      <Tool hint={t('log.copyWhy')} onClick={onCopy}>
        {t(copied ? 'log.copied' : 'log.copy')}
      </Tool>
      <a className={css.tool} href={props.rawUrl} title={t('log.rawHint')} target="_blank" rel="noopener">
        {t('log.raw')}
      </a>
    </div>
  );
}

function SearchBox({ t, field, query, search, onQuery, onStep }: Props) {
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter') onStep(event.shiftKey ? -1 : 1);
    if (event.key === 'Escape') {
      event.preventDefault(); // which would empty the field
      field.current?.blur();
    }
  };
  return (
    <search className={css.search}>
      <input
        ref={field}
        type="search"
        value={query}
        maxLength={200}
        placeholder={`${t('log.search')} (/)`}
        aria-label={t('log.search')}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={press}
      />
      <output className={css.hits}>{query === '' ? '' : hitsInWords(search, t)}</output>
      <Tool hint={t('log.previous')} named onClick={search.at > 1 ? () => onStep(-1) : null}>
        ↑
      </Tool>
      <Tool hint={t('log.next')} named onClick={search.count ? () => onStep(1) : null}>
        ↓
      </Tool>
    </search>
  );
}

function hitsInWords({ count, at, error }: Search, t: LogText): string {
  if (error) return error instanceof Error ? error.message : String(error);
  if (count === null) return t('log.searching');
  return count === 0 ? t('log.noHits') : t('log.hits', { at, count: count.toLocaleString() });
}

interface ToolProps {
  hint: string;
  /** Null: it cannot be used now, and the hint says why. */
  onClick: (() => void) | null;
  pressed?: boolean;
  /** Names a button that has only a sign. */
  named?: boolean;
  children: ReactNode;
}

function Tool({ hint, onClick, pressed, named = false, children }: ToolProps) {
  return (
    <button
      type="button"
      className={css.tool}
      title={hint}
      aria-label={named ? hint : undefined}
      aria-pressed={pressed}
      disabled={!onClick}
      onClick={onClick ?? undefined}
    >
      {children}
    </button>
  );
}
