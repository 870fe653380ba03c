/** A line cut where its looks change, where a link begins or ends, and where what is searched for was found. */
import { type Segment, type Style, textOf } from './ansi.ts';

export interface Piece {
  text: string;
  style: Style;
  href: string | null;
  found: boolean;
}

interface Range {
  from: number;
  to: number;
}

/** Beyond, the rest of a line is plain: a line of ten thousand colours would cost as many elements. */
const MAX_PIECES = 60;
const LINK = /\bhttps?:\/\/[^\s<>"'`|\\^{}⟨⟩]+/gi;
const PLAIN: Style = { fg: null, bg: null, decorations: [] };

export function piecesOf(segments: readonly Segment[], query: string): Piece[] {
  const text = textOf(segments);
  const links = linksIn(text);
  const found = foundIn(text, query);
  const borders = new Set([...links, ...found].flatMap(({ from, to }) => [from, to]));
  const pieces: Piece[] = [];
  let at = 0;
  for (const segment of segments) {
    const end = at + segment.text.length;
    const cuts = [at, ...[...borders].filter((each) => each > at && each < end).sort((a, b) => a - b), end];
    for (const [index, from] of cuts.slice(0, -1).entries()) {
      if (pieces.length === MAX_PIECES - 1)
        return [...pieces, { text: text.slice(from), style: PLAIN, href: null, found: false }];
      const link = links.find((range) => from >= range.from && from < range.to);
      pieces.push({
        text: text.slice(from, cuts[index + 1]),
        style: segment.style,
        href: link?.href ?? null,
        found: found.some((range) => from >= range.from && from < range.to),
      });
    }
    at = end;
  }
  return pieces;
}

function linksIn(text: string): (Range & { href: string })[] {
  return [...text.matchAll(LINK)].flatMap((match) => {
    const href = withoutTail(match[0]);
    return URL.canParse(href) ? [{ from: match.index, to: match.index + href.length, href }] : [];
  });
}

/** Punctuation after a link is the sentence's, and so is a bracket that was opened before it. */
function withoutTail(link: string): string {
  const text = link.replace(/[.,;:!?*]+$/, '');
  const count = (bracket: string) => text.split(bracket).length;
  const unopened = (text.endsWith(')') && count(')') > count('(')) || (text.endsWith(']') && count(']') > count('['));
  return unopened ? withoutTail(text.slice(0, -1)) : text;
}

function foundIn(text: string, query: string): Range[] {
  const lower = text.toLowerCase();
  const needle = query.toLowerCase();
  // A few letters change their length with their case: positions would be wrong.
  if (needle === '' || lower.length !== text.length) return [];
  const found: Range[] = [];
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, at + needle.length))
    found.push({ from: at, to: at + needle.length });
  return found;
}
