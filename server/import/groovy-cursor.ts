/** A place in the words of a Jenkinsfile, and what can be skipped from there without being understood. */
import { AppError } from '../../pipelines/errors.ts';
import type { Place, Statement } from './groovy.ts';
import type { Token } from './groovy-tokens.ts';
import { MAX_DEPTH } from './notes.ts';

/** This is no call after all: the statement is kept as its source. */
export class NotPlain extends Error {}

/** Ends a statement only where no line before or behind says that it goes on. */
const GOES_ON_AFTER = new Set(['+', '-', '&&', '||', '?', ':', ',', '?:', '=', '==', '!=', '.', '->', '<<', '+=']);
const GOES_ON_WITH = new Set(['else', 'catch', 'finally', '.', '?.', '&&', '||', '?', ':', '?:', '+']);
export const OPEN = new Set(['(', '[', '{']);
const CLOSE = new Set([')', ']', '}']);

export class Cursor {
  protected readonly source: string;
  protected readonly tokens: Token[];
  protected at = 0;
  private depth = 0;

  constructor(source: string, tokens: Token[]) {
    this.source = source;
    this.tokens = tokens;
  }

  protected peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)] as Token;
  }

  protected is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'mark' && token.text === text;
  }

  protected isWord(text: string): boolean {
    return this.peek().kind === 'word' && this.peek().text === text;
  }

  protected accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }

  protected expect(text: string): void {
    if (!this.accept(text)) throw new NotPlain();
  }

  protected skipLines(): void {
    while (this.peek().kind === 'newline') this.at++;
  }

  protected ended(): boolean {
    return ['newline', 'end'].includes(this.peek().kind) || this.is(';') || this.is('}');
  }

  protected deeper<Result>(inner: () => Result): Result {
    if (++this.depth > MAX_DEPTH) {
      throw new AppError('invalid', `line ${this.peek().line}: nested deeper than ${MAX_DEPTH} levels`);
    }
    try {
      return inner();
    } finally {
      this.depth--;
    }
  }

  protected since(start: number): Place {
    const first = this.tokens[start] as Token;
    const last = this.tokens[Math.max(this.at - 1, start)] as Token;
    return { line: first.line, source: this.source.slice(first.start, last.end) };
  }

  protected wordAfterLines(): string {
    let ahead = 0;
    while (this.peek(ahead).kind === 'newline') ahead++;
    return this.peek(ahead).text;
  }

  protected skipClosureParameters(): void {
    let ahead = 0;
    while (this.peek(ahead).kind === 'word' || this.is(',', ahead)) ahead++;
    if (this.is('->', ahead)) this.at += ahead + 1;
  }

  protected valueEnded(bracketed: boolean): boolean {
    const { kind, text } = this.peek();
    if (kind === 'end' || (kind === 'newline' && !bracketed)) return true;
    return kind === 'mark' && [',', ')', ']', '}', ';'].includes(text);
  }

  /** From an opening bracket past the one that closes it. No recursion: what is skipped may be nested as it likes. */
  protected skipBalanced(): void {
    let open = 0;
    do {
      const { kind, text } = this.peek();
      if (kind === 'end') return;
      if (kind === 'mark' && OPEN.has(text)) open++;
      if (kind === 'mark' && CLOSE.has(text)) open--;
      this.at++;
    } while (open > 0);
  }

  protected other(): Statement {
    const start = this.at;
    while (this.peek().kind !== 'end') {
      if (this.is('}')) break;
      if (this.peek().kind === 'mark' && OPEN.has(this.peek().text)) this.skipBalanced();
      else if (this.is(';')) break;
      else if (this.peek().kind !== 'newline') this.at++;
      else if (this.goesOn(start)) this.skipLines();
      else break;
    }
    // Whatever it is, it must not stop us.
    if (this.at === start) this.at++;
    return { kind: 'other', ...this.since(start) };
  }

  protected goesOn(start: number): boolean {
    const before = this.at > start ? this.peek(-1) : undefined;
    if (before?.kind === 'mark' && GOES_ON_AFTER.has(before.text)) return true;
    return GOES_ON_WITH.has(this.wordAfterLines());
  }
}
