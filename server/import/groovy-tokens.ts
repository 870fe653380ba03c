/** The words of a Jenkinsfile. Groovy has more than these; what they do not cover is passed on as marks, and never fails. */
import { lookup } from './lookup.ts';

/** A piece of a string: text, or the source of what Groovy would fill in. */
export type Part = string | { code: string };

export interface Token {
  kind: 'word' | 'number' | 'string' | 'mark' | 'newline' | 'end';
  text: string;
  /** Of a string. */
  parts: Part[];
  start: number;
  end: number;
  line: number;
}

/** Two and three characters that mean something else than one by one. */
const MARKS = ['==~', '<=>', '===', '->', '==', '!=', '=~', '&&', '||', '?:', '?.', '*.', '+=', '-=', '<<', '>=', '<='];
/** After one of these a slash begins a string, and is no division. */
const BEFORE_SLASHY = new Set(['(', ',', '=', '[', '{', ':', '=~', '==~', '==', '!=', '+', '?:', '\n']);

export function tokenize(source: string): Token[] {
  return new Tokenizer(source).all();
}

class Tokenizer {
  private readonly source: string;
  private readonly tokens: Token[] = [];
  private at = 0;
  private line = 1;

  constructor(source: string) {
    this.source = source;
  }

  all(): Token[] {
    if (this.source.startsWith('#!')) this.skipLine();
    while (this.at < this.source.length) this.next();
    this.add('end', this.at);
    return this.tokens;
  }

  private next(): void {
    const char = this.source[this.at] as string;
    const start = this.at;
    if (char === '\n') {
      this.at++;
      this.add('newline', start);
      this.line++;
    } else if (/\s/.test(char) || this.source.startsWith('\\\n', this.at)) this.skipSpace(char);
    else if (this.source.startsWith('//', this.at)) this.skipLine();
    else if (this.source.startsWith('/*', this.at)) this.skipComment();
    else if (char === "'" || char === '"') this.quoted(char);
    else if (char === '/' && this.slashyMayBegin()) this.delimited('/', '/');
    else if (this.source.startsWith('$/', this.at)) this.delimited('$/', '/$');
    else if (/[A-Za-z_$]/.test(char)) this.take('word', /[\w$]+/y);
    else if (/\d/.test(char)) this.take('number', /\d[\w]*(\.\d+)?/y);
    else {
      this.at += MARKS.find((mark) => this.source.startsWith(mark, start))?.length ?? 1;
      this.add('mark', start);
    }
  }

  private add(kind: Token['kind'], start: number, parts: Part[] = [], line = this.line): void {
    this.tokens.push({ kind, text: this.source.slice(start, this.at), parts, start, end: this.at, line });
  }

  private take(kind: Token['kind'], pattern: RegExp): void {
    const start = this.at;
    pattern.lastIndex = start;
    this.at += pattern.exec(this.source)?.[0].length ?? 1;
    this.add(kind, start);
  }

  private skipSpace(char: string): void {
    if (char === '\\') {
      this.line++;
      this.at++;
    }
    this.at++;
  }

  private skipLine(): void {
    const end = this.source.indexOf('\n', this.at);
    this.at = end < 0 ? this.source.length : end;
  }

  private skipComment(): void {
    const end = this.source.indexOf('*/', this.at + 2);
    this.moveTo(end < 0 ? this.source.length : end + 2);
  }

  private moveTo(end: number): void {
    for (; this.at < end; this.at++) if (this.source[this.at] === '\n') this.line++;
  }

  private quoted(char: string): void {
    const triple = char.repeat(3);
    const quote = this.source.startsWith(triple, this.at) ? triple : char;
    const [start, line] = [this.at, this.line];
    const { parts, end } = readString(this.source, start + quote.length, quote, char === '"');
    this.moveTo(end);
    this.add('string', start, parts, line);
  }

  private slashyMayBegin(): boolean {
    const before = this.tokens.at(-1);
    const opens = before === undefined || before.kind === 'newline' || BEFORE_SLASHY.has(before.text);
    const end = this.source.indexOf('/', this.at + 1);
    return opens && end > 0 && !this.source.slice(this.at, end).includes('\n');
  }

  private delimited(open: string, close: string): void {
    const [start, line] = [this.at, this.line];
    let end = start + open.length;
    while (end < this.source.length && !this.source.startsWith(close, end)) {
      end += this.source.startsWith('\\/', end) ? 2 : 1;
    }
    const text = this.source.slice(start + open.length, end).replaceAll('\\/', '/');
    this.moveTo(Math.min(end + close.length, this.source.length));
    this.add('string', start, text.includes('$') ? splitText(text) : [text], line);
  }
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '\n': '' };

/** From behind the opening quote; a string without an end goes on to the end of the line, or of the file for a triple one. */
function readString(source: string, from: number, quote: string, fills: boolean): { parts: Part[]; end: number } {
  const parts: Part[] = [];
  let text = '';
  let at = from;
  while (at < source.length && !source.startsWith(quote, at)) {
    const char = source[at] as string;
    if (char === '\n' && quote.length === 1) break;
    if (char === '\\') {
      const unicode = /^u([0-9a-f]{4})/i.exec(source.slice(at + 1, at + 6));
      const escaped = source[at + 1] ?? '';
      text += unicode
        ? String.fromCharCode(Number.parseInt(unicode[1] as string, 16))
        : (lookup(ESCAPES, escaped) ?? escaped);
      at += unicode ? 6 : 2;
      continue;
    }
    const filled = fills && char === '$' ? readFilled(source, at) : null;
    if (filled) {
      if (text) parts.push(text);
      text = '';
      parts.push({ code: filled.code });
      at = filled.end;
    } else {
      text += char;
      at++;
    }
  }
  if (text || parts.length === 0) parts.push(text);
  const closed = source.startsWith(quote, at);
  return { parts, end: Math.min(closed ? at + quote.length : at, source.length) };
}

/** `$name.name` or `${…}`. */
function readFilled(source: string, at: number): { code: string; end: number } | null {
  if (source[at + 1] !== '{') {
    const name = /^\$([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)/.exec(source.slice(at, at + 200));
    return name ? { code: name[1] as string, end: at + name[0].length } : null;
  }
  let depth = 0;
  for (let end = at + 1; end < source.length && end - at < 2000; end++) {
    const char = source[end];
    if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return { code: source.slice(at + 2, end).trim(), end: end + 1 };
  }
  return null;
}

function splitText(text: string): Part[] {
  return readString(text.replaceAll('\\', '\\\\'), 0, '\0', true).parts;
}
