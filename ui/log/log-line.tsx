import { type CSSProperties, type MouseEvent, memo } from 'react';
import { type Style, segmentsOf } from './ansi.ts';
import css from './log.module.css';
import type { Line } from './log-source.ts';
import palette from './palette.module.css';
import { type Piece, piecesOf } from './pieces.ts';
import { sizeInWords } from './units.ts';
import type { LogText } from './words.ts';

/** Characters of a row; the rest of a line is shown on its own. */
const SHOWN = 1_000;

export interface LineProps {
  number: number;
  line: Line | undefined;
  time: string | null;
  query: string;
  selected: boolean;
  current: boolean;
  href: string;
  t: LogText;
  onPick(number: number, extend: boolean): void;
  onMore(number: number): void;
}

export const LogLine = memo(function LogLine(props: LineProps) {
  const { number, line, time, query, selected, current, href, t, onPick, onMore } = props;
  const own = line?.text.startsWith('» ') ?? false;
  const pick = (event: MouseEvent) => {
    event.preventDefault();
    onPick(number, event.shiftKey);
  };
  return (
    <div
      className={`${css.row} ${own ? css.own : ''} ${selected ? css.selected : ''}`}
      data-line={number}
      data-current={current || undefined}
    >
      <a className={css.number} href={href} tabIndex={-1} onClick={pick}>
        {number}
      </a>
      {time !== null && <span className={css.time}>{time}</span>}
      <code>{line && <Text text={line.text.slice(0, SHOWN)} query={query} />}</code>
      {line && (line.text.length > SHOWN || line.bytes > 4 * SHOWN) && (
        <button type="button" className={css.more} onClick={() => onMore(number)}>
          {t('log.more', { size: sizeInWords(Math.max(line.bytes - SHOWN, 1)) })}
        </button>
      )}
    </div>
  );
});

export function Text({ text, query }: { text: string; query: string }) {
  return piecesOf(segmentsOf(text), query).map((piece, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no name but their place
    <PieceOf key={index} piece={piece} />
  ));
}

function PieceOf({ piece: { text, style, href, found } }: { piece: Piece }) {
  const className = classesOf(style);
  const colours = coloursOf(style);
  const content = found ? <mark>{text}</mark> : text;
  if (href !== null)
    return (
      <a className={className} style={colours} href={href} target="_blank" rel="noopener noreferrer">
        {content}
      </a>
    );
  if (className === '' && !colours) return content;
  return (
    <span className={className} style={colours}>
      {content}
    </span>
  );
}

const classesOf = ({ fg, bg, decorations }: Style): string =>
  [
    ...decorations.map((name) => css[name]),
    ...(typeof fg === 'number' ? [palette[`fg${fg}`]] : []),
    ...(typeof bg === 'number' ? [palette[`bg${bg}`]] : []),
  ].join(' ');

/** Set by script, which the content security policy allows, and not as an attribute in HTML. */
function coloursOf({ fg, bg }: Style): CSSProperties | undefined {
  if (typeof fg !== 'string' && typeof bg !== 'string') return undefined;
  return {
    ...(typeof fg === 'string' ? { color: fg } : {}),
    ...(typeof bg === 'string' ? { backgroundColor: bg } : {}),
  };
}
