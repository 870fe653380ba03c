/** Statements by recursive descent. What does not parse as one is taken back, and kept as its source. */
import type { Call, Statement, Value } from './groovy.ts';
import { Cursor, NotPlain, OPEN } from './groovy-cursor.ts';
import type { Part } from './groovy-tokens.ts';

const NO_CALL = new Set('for while switch return throw import class void new assert case do else enum'.split(' '));

export class Parser extends Cursor {
  file(): Statement[] {
    const all: Statement[] = [];
    while (this.peek().kind !== 'end') {
      all.push(...this.statements());
      // A brace too many.
      if (this.peek().text === '}') this.at++;
    }
    return all;
  }

  /** Up to a closing brace, which is left. */
  private statements(): Statement[] {
    const all: Statement[] = [];
    for (;;) {
      while (this.peek().kind === 'newline' || this.is(';')) this.at++;
      if (this.peek().kind === 'end' || this.is('}')) return all;
      all.push(this.statement());
    }
  }

  private statement(): Statement {
    const start = this.at;
    try {
      const result = this.plain();
      if (this.ended()) return result;
    } catch (error) {
      if (!(error instanceof NotPlain)) throw error;
    }
    this.at = start;
    return this.other();
  }

  private plain(): Statement {
    const start = this.at;
    if (this.isWord('if')) return this.ifStatement();
    if (this.isWord('try')) return this.tryStatement();
    if (this.peek().kind !== 'word' || NO_CALL.has(this.peek().text)) throw new NotPlain();
    // `def x = …`, `String x = …`, `x = …`
    const declared = this.peek(1).kind === 'word' && this.is('=', 2) ? 1 : 0;
    if (this.is('=', declared + 1)) {
      const name = this.peek(declared).text;
      this.at += declared + 2;
      const value = this.value(false);
      return { kind: 'assign', name, value, ...this.since(start) };
    }
    return this.call(true);
  }

  private ifStatement(): Statement {
    const start = this.at++;
    if (!this.is('(')) throw new NotPlain();
    const open = this.at;
    this.skipBalanced();
    const condition = this.source.slice(this.peek(open - this.at).end, this.peek(-1).start).trim();
    this.skipLines();
    const yes = this.branch();
    const back = this.at;
    this.skipLines();
    if (!this.isWord('else')) {
      this.at = back;
      return { kind: 'if', condition, yes, no: [], ...this.since(start) };
    }
    this.at++;
    this.skipLines();
    const no = this.isWord('if') ? [this.deeper(() => this.ifStatement())] : this.branch();
    return { kind: 'if', condition, yes, no, ...this.since(start) };
  }

  private branch(): Statement[] {
    if (this.is('{')) return this.block();
    return [this.deeper(() => this.statement())];
  }

  private tryStatement(): Statement {
    const start = this.at++;
    if (!this.is('{')) throw new NotPlain();
    const body = this.block();
    this.skipLines();
    const from = this.at;
    let last: Statement[] = [];
    while (this.isWord('catch') || this.isWord('finally')) {
      const ends = this.isWord('finally');
      this.at++;
      if (this.is('(')) this.skipBalanced();
      this.skipLines();
      if (!this.is('{')) throw new NotPlain();
      if (ends) last = this.block();
      else this.skipBalanced();
      if (['catch', 'finally'].includes(this.wordAfterLines())) this.skipLines();
    }
    if (this.at === from) throw new NotPlain();
    return { kind: 'try', body, last, rest: this.since(from), ...this.since(start) };
  }

  private block(): Statement[] {
    return this.deeper(() => {
      this.expect('{');
      this.skipClosureParameters();
      const body = this.statements();
      // At the end of a file that stops in the middle of a block, what there is counts.
      if (this.peek().kind !== 'end') this.expect('}');
      return body;
    });
  }

  private call(command: boolean): Call {
    const start = this.at;
    let name = this.peek().text;
    this.at++;
    while ((this.is('.') || this.is('?.')) && this.peek(1).kind === 'word') {
      name += `.${this.peek(1).text}`;
      this.at += 2;
    }
    const call: Call = { kind: 'call', name, args: [], named: new Map(), block: null, next: null, line: 0, source: '' };
    if (this.accept('(')) this.args(call, ')');
    else if (command && !this.is('{') && !this.ended()) this.args(call, null);
    if (this.is('{')) call.block = this.block();
    if (this.is('.') && this.peek(1).kind === 'word') {
      this.at++;
      call.next = this.deeper(() => this.call(false));
    }
    return Object.assign(call, this.since(start));
  }

  /** Within brackets, lines mean nothing. Without them, the arguments end with the line. */
  private args(call: Call, close: string | null): void {
    const bracketed = close !== null;
    for (;;) {
      if (bracketed) this.skipLines();
      if (close && this.accept(close)) return;
      const key = this.key();
      const value = this.value(bracketed);
      if (key === null) call.args.push(value);
      else call.named.set(key, value);
      if (bracketed) this.skipLines();
      if (this.accept(',')) this.skipLines();
      else if (close) {
        this.expect(close);
        return;
      } else return;
    }
  }

  /** `name:` or `'name':`, or null where a value comes. */
  private key(): string | null {
    const token = this.peek();
    if (!['word', 'string'].includes(token.kind) || !this.is(':', 1)) return null;
    this.at += 2;
    return token.kind === 'string'
      ? token.parts.map((part) => (typeof part === 'string' ? part : '')).join('')
      : token.text;
  }

  private value(bracketed: boolean): Value {
    const start = this.at;
    const values: Value[] = [];
    try {
      do {
        this.skipLines();
        values.push(this.deeper(() => this.primary()));
        if (bracketed) this.skipLines();
      } while (this.accept('+'));
      if (this.valueEnded(bracketed)) return values.length === 1 ? (values[0] as Value) : joined(values);
    } catch (error) {
      if (!(error instanceof NotPlain)) throw error;
    }
    this.at = start;
    while (!this.valueEnded(bracketed)) {
      if (OPEN.has(this.peek().text) && this.peek().kind === 'mark') this.skipBalanced();
      else this.at++;
    }
    if (this.at === start) throw new NotPlain();
    return { kind: 'code', source: this.since(start).source };
  }

  private primary(): Value {
    const token = this.peek();
    if (token.kind === 'string') return this.string();
    if (token.kind === 'number') {
      this.at++;
      return { kind: 'literal', value: token.text };
    }
    if (this.is('{')) return { kind: 'closure', body: this.block() };
    if (this.is('[')) return this.collection();
    if (token.kind !== 'word' || token.text === 'new') throw new NotPlain();
    if (['true', 'false', 'null'].includes(token.text)) {
      this.at++;
      return { kind: 'literal', value: token.text };
    }
    const start = this.at;
    const call = this.call(false);
    const bare = !call.source.includes('(') && !call.block;
    return bare ? { kind: 'code', source: this.since(start).source } : call;
  }

  private string(): Value {
    let parts = this.peek().parts;
    this.at++;
    while (this.is('.') && this.is('(', 2) && this.is(')', 3)) {
      const method = this.peek(1).text;
      if (!['stripIndent', 'trim', 'toString', 'stripMargin'].includes(method)) throw new NotPlain();
      if (method === 'stripMargin')
        parts = parts.map((part) => (typeof part === 'string' ? part.replace(/^[ \t]*\|/gm, '') : part));
      this.at += 4;
    }
    return { kind: 'string', parts };
  }

  private collection(): Value {
    this.expect('[');
    this.skipLines();
    if (this.is(':') && this.is(']', 1)) {
      this.at += 2;
      return { kind: 'map', entries: new Map() };
    }
    const call = { args: [] as Value[], named: new Map<string, Value>() };
    this.args(call as unknown as Call, ']');
    return call.named.size > 0 ? { kind: 'map', entries: call.named } : { kind: 'list', items: call.args };
  }
}

/** `'a' + env.B + "c"` as one string. */
function joined(values: Value[]): Value {
  const parts = values.flatMap((value): Part[] => {
    if (value.kind === 'string') return value.parts;
    if (value.kind === 'literal') return [value.value];
    if (value.kind === 'code' || value.kind === 'call') return [{ code: value.source }];
    throw new NotPlain();
  });
  return { kind: 'string', parts };
}
