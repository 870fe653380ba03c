/**
 * One line of a log as a terminal would leave it: colours and decorations, what `\r` and backspace wrote over. Everything else
 * that a terminal obeys (hyperlinks, titles, cursor moves) is dropped, and what could mislead a reader is made visible.
 * A colour ends with its line: lines are shown from the middle of a log, without those before.
 */
import Anser from 'anser';

/** 0 to 15: the theme's; else `rgb(…)`. */
export type Colour = number | string;
export type Decoration = 'bold' | 'dim' | 'italic' | 'underline' | 'strikethrough';

export interface Style {
  fg: Colour | null;
  bg: Colour | null;
  decorations: readonly Decoration[];
}

export interface Segment {
  text: string;
  style: Style;
}

const SHOWN: readonly string[] = ['bold', 'dim', 'italic', 'underline', 'strikethrough'] satisfies Decoration[];
const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
/** Stands for "erase to the end of the line"; no other control character is left by then. */
const ERASE = '\x00';

/** OSC, DCS, SOS, PM and APC with all that they carry, up to their end or the end of the line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: what terminals obey are control characters
const STRINGS = /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x9c|\x1b\\)?/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CONTROLS = /[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;
/** They reorder what follows: a line could show another text than it has. */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const SEQUENCES = /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|\x1b[ -/]*[0-~]?|[\x80-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const OVERWRITES = /[\r\b\x00]/;

export function segmentsOf(line: string): Segment[] {
  const text = cleaned(line.replace(/\r+$/, ''));
  const segments = new Anser()
    .ansiToJson(text, { use_classes: true, remove_empty: true })
    .map((entry) => ({ text: entry.content, style: styleOf(entry) }));
  return OVERWRITES.test(text) ? overwritten(segments) : segments;
}

/** What is read, without how it looks. */
export const textOf = (segments: readonly Segment[]): string => segments.map(({ text }) => text).join('');

function cleaned(line: string): string {
  return line
    .replace(STRINGS, '')
    .replace(CONTROLS, (char) => (char === '\x7f' ? '\u2421' : String.fromCharCode(0x2400 + char.charCodeAt(0))))
    .replace(BIDI, (char) => `⟨U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`)
    .replace(SEQUENCES, (_, parameters: string | undefined, final: string | undefined) => {
      if (final === 'm' && /^[\d;:]*$/.test(parameters ?? '')) return `\x1b[${parameters?.replaceAll(':', ';')}m`;
      if (final === 'K') return parameters === '2' ? `\r${ERASE}` : parameters === '1' ? '' : ERASE;
      return final === 'G' && (parameters === '' || parameters === '1') ? '\r' : '';
    });
}

function styleOf(entry: Anser.AnserJsonEntry): Style {
  return {
    fg: colourOf(entry.fg, entry.fg_truecolor),
    bg: colourOf(entry.bg, entry.bg_truecolor),
    decorations: entry.decorations.filter((name): name is Decoration => SHOWN.includes(name)),
  };
}

function colourOf(name: string | null, truecolor: string | null): Colour | null {
  if (!name) return null;
  if (name === 'ansi-truecolor') return `rgb(${truecolor})`;
  const [, index] = /^ansi-palette-(\d+)$/.exec(name) ?? [];
  if (index !== undefined) return paletteColour(Number(index));
  const bright = name.startsWith('ansi-bright-');
  return NAMES.indexOf(name.slice(bright ? 12 : 5)) + (bright ? 8 : 0);
}

/** 16 to 231: a cube of 6 steps a side; 232 to 255: greys. https://en.wikipedia.org/wiki/ANSI_escape_code#8-bit */
function paletteColour(index: number): string {
  if (index >= 232)
    return `rgb(${Array(3)
      .fill(8 + (index - 232) * 10)
      .join(', ')})`;
  const steps = [36, 6, 1].map((size) => Math.floor((index - 16) / size) % 6);
  return `rgb(${steps.map((step) => (step === 0 ? 0 : 55 + step * 40)).join(', ')})`;
}

/** Each character is put where the cursor is. */
function overwritten(segments: readonly Segment[]): Segment[] {
  const cells: Segment[] = [];
  let at = 0;
  for (const { text, style } of segments) {
    for (const char of text) {
      if (char === '\r') at = 0;
      else if (char === '\b') at = Math.max(0, at - 1);
      else if (char === ERASE) cells.length = Math.min(cells.length, at);
      else cells[at++] = { text: char, style };
    }
  }
  const merged: Segment[] = [];
  for (const cell of cells) {
    const last = merged.at(-1);
    if (last?.style === cell.style) last.text += cell.text;
    else merged.push({ ...cell });
  }
  return merged;
}
