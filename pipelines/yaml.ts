/**
 * Reading YAML that strangers wrote. The `yaml` package recurses once a level, and Node may abort on a stack that is
 * used up inside a generator; so depth is bounded while the tokens are read, before anything recurses over them.
 * Aliases and merge keys (`<<`) are allowed as long as what they expand to stays small.
 */
import {
  type Alias,
  Composer,
  CST,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { AppError } from './errors.ts';

/** One fault in a file. Lines and columns count from 1; `path` is dotted, '' for the whole file. */
export interface LintError {
  message: string;
  line: number;
  column: number;
  path: string;
}

/** The text is not YAML, or not YAML that is safe to read. */
export class YamlError extends AppError {
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super('invalid', message, { extra: { line, column } });
    this.name = 'YamlError';
    this.line = line;
    this.column = column;
  }
}

export interface YamlOptions {
  /** Default 256 KiB. */
  maxBytes?: number;
  /** Levels of nesting, aliases included. Default 64. */
  maxDepth?: number;
  /** `refuse` (default): a tag that is not YAML's own is an error. `ignore`: the value is read without it, a scalar as text. */
  tags?: 'refuse' | 'ignore';
}

export interface YamlFile {
  /** Plain JSON-like data; null for an empty file. */
  value: unknown;
  document: Document.Parsed;
  lines: LineCounter;
}

/** Nodes a file may have once aliases and merges are filled in: far more than any file written by a person. */
const MAX_EXPANDED_NODES = 100_000;
const MAX_ALIASES = 2_000;

/** Reads one document. Throws `YamlError` with the place of the first fault. */
export function readYaml(text: string, options: YamlOptions = {}): YamlFile {
  const { maxBytes = 256 * 1024, maxDepth = 64, tags = 'refuse' } = options;
  if (Buffer.byteLength(text) > maxBytes) throw new YamlError(`the file is larger than ${maxBytes} bytes`, 1, 1);
  const lines = new LineCounter();
  const fail = (message: string, offset: number): never => {
    const { line, col } = lines.linePos(offset);
    throw new YamlError(message, Math.max(line, 1), Math.max(col, 1));
  };

  const tokens = readTokens(text, lines, maxDepth, fail);
  const composer = new Composer({
    schema: 'core',
    merge: true,
    resolveKnownTags: false, // !!binary, !!set and the like would not be JSON
    stringKeys: true,
    uniqueKeys: false, // quadratic in the library; `Measure` looks
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'silent',
  });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  if (!document) throw new YamlError('the file is not YAML', 1, 1);
  const fault = document.errors[0];
  if (fault) fail(plain(fault.message), fault.pos[0]);
  if (second) fail('only one YAML document is expected: remove what follows "---"', second.range[0]);
  const warning = tags === 'refuse' ? document.warnings[0] : undefined;
  if (warning) fail(plain(warning.message), warning.pos[0]);

  new Measure(lines, maxDepth, fail).of(document.contents);
  // Measured exactly above, where the library's own limit would estimate.
  return { value: document.toJS({ maxAliasCount: -1 }), document: document as Document.Parsed, lines };
}

type Fail = (message: string, offset: number) => never;

/** The parser's stack is as high as the text is nested, so looking at it after each lexeme bounds every recursion. */
function readTokens(text: string, lines: LineCounter, maxDepth: number, fail: Fail): CST.Token[] {
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  lines.addNewLine(0);
  let indicators = 0;
  for (const lexeme of new Lexer().lex(text)) {
    // The lexer recurses along indicators that follow each other on one line ("- - -", "? ? ?", "&a &b").
    indicators = isIndicator(lexeme) ? indicators + 1 : 0;
    if (indicators > 4 * maxDepth) fail('too many indicators follow each other', parser.offset);
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > maxDepth + 2) fail(`nested deeper than ${maxDepth} levels`, parser.offset);
  }
  tokens.push(...parser.end());
  return tokens;
}

function isIndicator(lexeme: string): boolean {
  switch (CST.tokenType(lexeme)) {
    case 'space':
    case 'anchor':
    case 'tag':
    case 'seq-item-ind':
    case 'explicit-key-ind':
    case 'map-value-ind':
      return true;
    default:
      return false;
  }
}

/** What a node amounts to once its aliases are filled in. */
interface Extent {
  nodes: number;
  depth: number;
  isMap: boolean;
}

/** Checks the document as it will be with every alias filled in. Anchors come before their aliases: one pass is enough. */
class Measure {
  private readonly anchors = new Map<string, Extent | 'open'>();
  private aliases = 0;
  private readonly lines: LineCounter;
  private readonly maxDepth: number;
  private readonly fail: Fail;

  constructor(lines: LineCounter, maxDepth: number, fail: Fail) {
    this.lines = lines;
    this.maxDepth = maxDepth;
    this.fail = fail;
  }

  of(node: unknown): Extent {
    if (!isNode(node)) return { nodes: 1, depth: 0, isMap: false };
    if (isAlias(node)) return this.alias(node);
    if (!isCollection(node)) {
      const leaf = { nodes: 1, depth: 0, isMap: false };
      if (isScalar(node) && node.anchor) this.anchors.set(node.anchor, leaf);
      return leaf;
    }
    if (node.anchor) this.anchors.set(node.anchor, 'open');
    const extent = { nodes: 1, depth: 0, isMap: isMap(node) };
    for (const child of isMap(node) ? this.pairs(node) : node.items.map((item) => this.of(item))) {
      extent.nodes += child.nodes;
      extent.depth = Math.max(extent.depth, child.depth);
    }
    extent.depth += 1;
    if (extent.nodes > MAX_EXPANDED_NODES) this.fail('its aliases make the file too large', offsetOf(node));
    if (extent.depth > this.maxDepth) this.fail(`nested deeper than ${this.maxDepth} levels`, offsetOf(node));
    if (node.anchor) this.anchors.set(node.anchor, extent);
    return extent;
  }

  private alias(node: Alias): Extent {
    this.aliases += 1;
    if (this.aliases > MAX_ALIASES) this.fail(`more than ${MAX_ALIASES} aliases`, offsetOf(node));
    const target = this.anchors.get(node.source);
    if (target === 'open') return this.fail(`the alias *${node.source} refers to itself`, offsetOf(node));
    return target ?? this.fail(`there is no anchor &${node.source} above`, offsetOf(node));
  }

  private pairs(map: YAMLMap): Extent[] {
    const seen = new Map<unknown, number>();
    return map.items.map(({ key, value }) => {
      const extent = this.of(value);
      if (!isScalar(key)) return this.fail('a key must be a plain word', offsetOf(isNode(key) ? key : map));
      if (isMergeKey(key)) {
        this.merge(value, extent);
        return extent;
      }
      // Anchored keys may be aliased as values.
      this.of(key);
      if (key.value === '__proto__') this.fail('"__proto__" cannot be a key', offsetOf(key));
      const first = seen.get(key.value);
      if (first !== undefined) {
        const { line } = this.lines.linePos(first);
        this.fail(`duplicate key "${key.value}": it is on line ${line} already`, offsetOf(key));
      }
      seen.set(key.value, offsetOf(key));
      return extent;
    });
  }

  private merge(value: unknown, extent: Extent): void {
    const sources = isSeq(value) ? value.items : [value];
    const mergeable = (source: unknown) =>
      isMap(source) || (isAlias(source) && (this.anchors.get(source.source) as Extent | undefined)?.isMap === true);
    if (!sources.every(mergeable)) this.fail('"<<" merges maps only, as in "<<: *defaults"', offsetOf(value));
    // Unlike an aliased value, a merged one is copied key by key, each time.
    if (extent.nodes > MAX_EXPANDED_NODES) this.fail('its merges make the file too large', offsetOf(value));
  }
}

const isMergeKey = (key: Scalar) => key.value === '<<' && key.type === 'PLAIN';

const offsetOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);

/** The library's messages are sentences; ours begin in lower case. */
const plain = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);
