/** Groovy conditions over parameters and environment variables, as conditions of the shell. */
import { type Token, tokenize } from './groovy-tokens.ts';
import { quote, type Scope, variableOf } from './scope.ts';

/** A command list that succeeds where the condition holds, such as `[ "${LEVEL}" = full ]`; null where it is beyond this. */
export function toShellCondition(condition: string, scope: Scope, booleans: ReadonlySet<string>): string | null {
  const tokens = tokenize(condition.replace(/^return\b/, '')).filter(({ kind }) => kind !== 'newline');
  if (tokens.length > 200) return null;
  const reader = new Reader(tokens, scope, booleans);
  return reader.whole();
}

/** The branches that a condition such as `env.BRANCH_NAME == 'main'` asks for; null for any other condition. */
export function branchesOf(condition: string): string[] | null {
  const text = condition.replace(/^return\b/, '').trim();
  const one = /^\(?\s*(?:env\.)?BRANCH_NAME\s*==\s*(['"])([\w./-]+)\1\s*\)?$/;
  const [, , except] = /^(?:env\.)?BRANCH_NAME\s*!=\s*(['"])([\w./-]+)\1$/.exec(text) ?? [];
  if (except !== undefined) return [`!${except}`];
  const branches = text.split('||').map((each) => one.exec(each.trim())?.[2]);
  return branches.includes(undefined) ? null : (branches as string[]);
}

class Reader {
  private readonly tokens: Token[];
  private readonly scope: Scope;
  private readonly booleans: ReadonlySet<string>;
  private at = 0;

  constructor(tokens: Token[], scope: Scope, booleans: ReadonlySet<string>) {
    this.tokens = tokens;
    this.scope = scope;
    this.booleans = booleans;
  }

  whole(): string | null {
    const condition = this.any();
    return this.peek()?.kind === 'end' ? condition : null;
  }

  private peek(): Token | undefined {
    return this.tokens[this.at];
  }
  private accept(text: string): boolean {
    const found = this.peek()?.kind === 'mark' && this.peek()?.text === text;
    if (found) this.at++;
    return found;
  }

  /** The shell gives `&&` and `||` the same rank; so each side is a group of its own. */
  private any(): string | null {
    return this.chain('||', () => this.chain('&&', () => this.one()));
  }

  private chain(mark: string, next: () => string | null): string | null {
    const sides = [next()];
    while (this.accept(mark)) sides.push(next());
    if (sides.includes(null)) return null;
    return sides.length === 1 ? (sides[0] ?? null) : `{ ${sides.join(` ${mark} `)}; }`;
  }

  private one(): string | null {
    if (this.accept('!')) {
      const inner = this.one();
      return inner === null ? null : `! ${inner}`;
    }
    if (this.accept('(')) {
      const inner = this.any();
      return this.accept(')') ? inner : null;
    }
    const left = this.operand();
    if (left === null) return null;
    const equal = this.accept('==');
    if (!equal && !this.accept('!=')) return left.truth;
    const right = this.operand();
    return right === null ? null : `[ ${left.word} ${equal ? '=' : '!='} ${right.word} ]`;
  }

  private operand(): { word: string; truth: string | null } | null {
    const token = this.peek();
    if (token?.kind === 'string') {
      this.at++;
      const [part] = token.parts;
      if (token.parts.length !== 1 || part === undefined) return null;
      return typeof part === 'string' ? { word: quote(part), truth: null } : this.variable(part.code);
    }
    if (token?.kind !== 'word' && token?.kind !== 'number') return null;
    let code = token.text;
    this.at++;
    while (this.accept('.')) code += `.${this.tokens[this.at++]?.text}`;
    if (code === 'null') return { word: "''", truth: null };
    if (code === 'true' || code === 'false' || token.kind === 'number') return { word: code, truth: null };
    return this.variable(code);
  }

  private variable(code: string): { word: string; truth: string } | null {
    const name = variableOf(code, this.scope);
    if (name === null) return null;
    const word = `"\${${name}:-}"`;
    return { word, truth: this.booleans.has(name) ? `[ ${word} = true ]` : `[ -n ${word} ]` };
  }
}
