/**
 * Jenkinsfiles as statements, by recursive descent. Nothing is evaluated: what is not a plain call, assignment, `if` or `try`
 * is kept as its source, for a person to look at.
 *
 * No kept npm package reads declarative Jenkinsfiles (looked for in October 2026): npm-groovy-lint starts a JVM, the
 * prettier plugin and the tree-sitter grammars are for Groovy as a whole and know of no pipelines, and `jdp` and
 * `jenkinsfile` are Rust crates of 2020 and 2021.
 */
import { AppError } from '../../pipelines/errors.ts';
import { Parser } from './groovy-parser.ts';
import { type Part, tokenize } from './groovy-tokens.ts';
import { MAX_SOURCE } from './notes.ts';

export interface Place {
  line: number;
  source: string;
}
export interface Call extends Place {
  kind: 'call';
  /** With dots: `docker.image`. */
  name: string;
  args: Value[];
  named: Map<string, Value>;
  block: Statement[] | null;
  /** What is called on the result: `.inside { }`. */
  next: Call | null;
}
export type Value =
  | { kind: 'string'; parts: Part[] }
  | { kind: 'literal'; value: string }
  | { kind: 'list'; items: Value[] }
  | { kind: 'map'; entries: Map<string, Value> }
  | { kind: 'closure'; body: Statement[] }
  | { kind: 'code'; source: string }
  | Call;
export type Statement =
  | Call
  | (Place & { kind: 'assign'; name: string; value: Value })
  | (Place & { kind: 'if'; condition: string; yes: Statement[]; no: Statement[] })
  | (Place & { kind: 'try'; body: Statement[]; last: Statement[]; rest: Place })
  | (Place & { kind: 'other' });

/** Throws `invalid` and `too_large` for what is too deep or too long; takes everything else. */
export function parseGroovy(text: string): Statement[] {
  if (Buffer.byteLength(text) > MAX_SOURCE)
    throw new AppError('too_large', `this file is longer than ${MAX_SOURCE / 1024} KiB`);
  const source = text.replace(/\r\n?/g, '\n');
  return new Parser(source, tokenize(source)).file();
}
