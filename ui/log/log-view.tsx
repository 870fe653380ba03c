/**
 * The log viewer: a window into a log of any length. About sixty rows are mounted, whatever the log's size; lines are fetched as
 * they come into sight, and searched on the server.
 */
import { useRef, useState } from 'react';
import { Problem } from '../components/problem.tsx';
import { useText } from '../i18n/text.tsx';
import css from './log.module.css';
import { LogRows } from './log-rows.tsx';
import { LogToolbar } from './log-toolbar.tsx';
import { LongLine } from './long-line.tsx';
import { ROW } from './rows.ts';
import { useAddress } from './use-address.ts';
import { useCopy } from './use-copy.ts';
import { useErrors } from './use-errors.ts';
import { useFollow } from './use-follow.ts';
import { useJump } from './use-jump.ts';
import { useKeys } from './use-keys.ts';
import { useLog } from './use-log.ts';
import { useScroll } from './use-scroll.ts';
import { useSearch } from './use-search.ts';
import { nextTimes, useTimes } from './use-times.ts';
import { WORDS } from './words.ts';

interface Props {
  /** The API's address of the log. */
  url: string;
  /** The step has not ended. */
  live: boolean;
  /** The step, as addresses of lines name it. */
  name: string;
  /** Begins at the first line that looks like an error. */
  openAtError?: boolean;
}

export function LogView(props: Props) {
  return <Viewer key={props.url} {...props} />;
}

function Viewer({ url, live, name, openAtError = false }: Props) {
  const t = useText(WORDS);
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [times, chooseTimes] = useTimes();
  const [longLine, setLongLine] = useState<number | null>(null);

  const source = useLog(url, live);
  const total = source.count?.lines ?? 0;
  const address = useAddress(name);
  const [query, setQuery] = useState(address.query);
  const search = useSearch(url, query === '' ? null : { search: query });
  const scroll = useScroll(box, total);
  const follow = useFollow(scroll, total, live, live && !address.range);
  const jump = useJump(box, scroll, follow, address.range);
  const copy = useCopy(source, address.range);

  const topLine = Math.floor(scroll.position.top / ROW) + 1;
  const { errors, next: nextError } = useErrors(url, openAtError && !live && !address.range, jump.line ?? 0, (line) =>
    line === null ? follow.start() : jump.to(line),
  );
  const step = async (direction: 1 | -1) => {
    address.search(query);
    const line = search.at === 0 ? await search.stepFrom(topLine - 1) : await search.step(direction);
    if (line !== null) jump.to(line);
  };
  const toggleFollow = () => (follow.following ? follow.stop() : follow.start());
  useKeys({
    '/': () => field.current?.focus(),
    n: () => void step(1),
    N: () => void step(-1),
    e: nextError,
    f: toggleFollow,
    t: () => chooseTimes(nextTimes(times)),
  });

  const line = longLine === null ? undefined : source.line(longLine);
  return (
    <section className={css.log} aria-label={t('log.of', { name })}>
      <LogToolbar
        t={t}
        field={field}
        query={query}
        search={search}
        onQuery={setQuery}
        onStep={(direction) => void step(direction)}
        errors={errors}
        onError={nextError}
        times={times}
        onTimes={chooseTimes}
        follow={live ? { on: follow.following, toggle: toggleFollow } : null}
        onCopy={copy.act}
        copied={copy.done}
        rawUrl={url}
      />
      {source.error !== null && <Problem error={source.error} retry={source.retry} />}
      <LogRows
        t={t}
        box={box}
        source={source}
        scroll={scroll}
        times={times}
        query={query}
        address={address}
        current={jump.line}
        onMoved={follow.moved}
        onMore={setLongLine}
      />
      <p className={css.foot}>
        <span>{footOf()}</span>
        {follow.unseen > 0 && (
          <button type="button" className={css.unseen} onClick={follow.start}>
            {t('log.newLines', { count: follow.unseen.toLocaleString() })}
          </button>
        )}
      </p>
      {line && longLine !== null && (
        <LongLine url={url} number={longLine} line={line} t={t} onClose={() => setLongLine(null)} />
      )}
    </section>
  );

  function footOf(): string {
    if (!source.count) return '';
    if (total === 0) return t(live ? 'log.notYet' : 'log.empty');
    const { range } = address;
    const lines = t('log.lines', { count: total.toLocaleString() });
    return range && range.to > range.from ? `${lines} · ${t('log.selected', { ...range })}` : lines;
  }
}
