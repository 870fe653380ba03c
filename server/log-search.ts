/** Finding lines in a log of any size: it is read in pieces, and what is listed is bounded. */
import { createReadStream } from 'node:fs';

export interface LogMatches {
  /** Of all matching lines, not only those listed. */
  count: number;
  /** `line` counts from 1, `offset` is the line's first byte. */
  lines: { line: number; offset: number; text: string }[];
}

export interface Listing {
  /** Lines that are listed at most. */
  limit: number;
  /** The first line that may be listed; those before it are only counted. */
  from?: number;
}

export interface Matcher {
  /** May change the text in any way that keeps its line ends. */
  prepare(text: string): string;
  /** Where the next match in a prepared text begins, at or after `from`; -1 where there is none. */
  next(prepared: string, from: number): number;
}

const READ_BYTES = 1 << 20;
/** A line that is longer is looked through in pieces, which overlap by `OVERLAP`. */
const LONGEST = 1 << 20;
const OVERLAP = 1024;
const SHOWN_BYTES = 2_000;
const NEWLINE = 10;

/** Whatever the case. */
export function containing(query: string): Matcher {
  const needle = query.toLowerCase();
  return { prepare: (text) => text.toLowerCase(), next: (text, from) => text.indexOf(needle, from) };
}

/** What compilers, test runners, package managers and shells say when something is wrong: so, Capitalised, or SHOUTED. */
const WORDS = ['error', 'fatal', 'panic', 'failure', 'failed', 'exception'];
const PHRASES = [
  'not found',
  'no such file',
  'permission denied',
  'cannot',
  "can't",
  'could not',
  'unable to',
  'undefined reference',
  'segmentation fault',
  'out of memory',
  'refused',
];
const cased = (words: readonly string[]): string =>
  words.flatMap((word) => [word, word[0]?.toUpperCase() + word.slice(1), word.toUpperCase()]).join('|');
const COMPLAINT = new RegExp(
  [
    `\\b(?:${cased(WORDS)})\\b(?! ?[=:]? ?(?:0|no|none|null|false)\\b)`,
    `\\b(?:${cased(PHRASES)})\\b`,
    '\\b[A-Z]\\w*(?:Error|Exception)\\b',
    '^ *(?:--- )?FAIL\\b|^not ok |^Traceback \\(|\\*\\*\\* \\[|^Killed$|[✗✖]',
  ].join('|'),
  'gm',
);
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what it takes out
const COLOUR = /\x1b\[[\d;:]*m/g;
const DENIAL = /\b(?:0|no|without|zero) (?:\w+ )?(?:errors?|failures?|failed|exceptions?)\b/i;

/** Lines that look like an error, to begin reading a failure at. A guess, and shown as one. */
export const complaints: Matcher = {
  prepare: (text) => (text.includes('\x1b') ? text.replace(COLOUR, '') : text),
  next(text, from) {
    COMPLAINT.lastIndex = from;
    for (let found = COMPLAINT.exec(text); found; found = COMPLAINT.exec(text)) {
      const begin = text.lastIndexOf('\n', found.index) + 1;
      const end = text.indexOf('\n', found.index);
      if (!DENIAL.test(text.slice(begin, end < 0 ? undefined : end))) return found.index;
      if (end < 0) return -1;
      COMPLAINT.lastIndex = end + 1;
    }
    return -1;
  },
};

/** All lines that match are counted, the first of them listed. */
export async function searchLog(file: string, matcher: Matcher, listing: Listing): Promise<LogMatches> {
  const search = new Search(matcher, listing);
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk as Buffer]) : (chunk as Buffer);
    const whole = bytes.lastIndexOf(NEWLINE) + 1;
    if (whole > 0) search.look(bytes.subarray(0, whole));
    rest = bytes.subarray(whole);
    if (rest.length > LONGEST) {
      search.look(rest, rest.length - OVERLAP);
      rest = rest.subarray(-OVERLAP);
    }
  }
  if (rest.length > 0) search.look(rest);
  return search.found;
}

class Search {
  readonly found: LogMatches = { count: 0, lines: [] };
  readonly #matcher: Matcher;
  readonly #limit: number;
  readonly #from: number;
  /** Of the line that the next piece begins in. */
  #line = 1;
  #lineOffset = 0;
  #lineFound = false;
  #offset = 0;

  constructor(matcher: Matcher, { limit, from = 1 }: Listing) {
    this.#matcher = matcher;
    this.#limit = limit;
    this.#from = from;
  }

  /** Whole lines, or a piece of a long one; the next piece begins after the first `passed` bytes of this one. */
  look(bytes: Buffer, passed = bytes.length): void {
    const text = this.#matcher.prepare(bytes.toString('utf8'));
    const lines = new Lines(text);
    const offsets = new Offsets(bytes);
    let foundInFirst = this.#lineFound;
    for (let at = this.#matcher.next(text, 0); at >= 0; ) {
      const line = lines.until(at);
      if (line > 0 || !foundInFirst) this.#take(line, bytes, offsets);
      if (line === 0) foundInFirst = true;
      const end = text.indexOf('\n', at);
      at = end < 0 ? -1 : this.#matcher.next(text, end + 1);
    }
    const newlines = lines.until(text.length);
    this.#line += newlines;
    this.#offset += passed;
    this.#lineFound = newlines === 0 && foundInFirst;
    if (newlines > 0) this.#lineOffset = this.#offset;
  }

  #take(line: number, bytes: Buffer, offsets: Offsets): void {
    this.found.count += 1;
    if (this.#line + line < this.#from || this.found.lines.length >= this.#limit) return;
    const begin = offsets.of(line);
    const end = bytes.indexOf(NEWLINE, begin);
    const text = bytes.toString('utf8', begin, Math.min(end < 0 ? bytes.length : end, begin + SHOWN_BYTES));
    const offset = line === 0 ? this.#lineOffset : this.#offset + begin;
    this.found.lines.push({ line: this.#line + line, offset, text });
  }
}

/** Counts line ends as it is asked for positions further and further on. */
class Lines {
  readonly #text: string;
  #line = 0;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  until(position: number): number {
    for (
      let end = this.#text.indexOf('\n', this.#at);
      end >= 0 && end < position;
      end = this.#text.indexOf('\n', this.#at)
    ) {
      this.#line += 1;
      this.#at = end + 1;
    }
    return this.#line;
  }
}

/** Where lines begin in a piece, asked for further and further on. */
class Offsets {
  readonly #bytes: Buffer;
  #line = 0;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  of(line: number): number {
    for (; this.#line < line; this.#line += 1) this.#at = this.#bytes.indexOf(NEWLINE, this.#at) + 1;
    return this.#at;
  }
}
