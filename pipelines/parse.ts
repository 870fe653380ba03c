/** From the text of `slipway.yml` to a checked file, or to everything that is wrong with it and where. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Node, visit } from 'yaml';
import type { z } from 'zod';
import { type Fault, faultsOf } from './check.ts';
import { type PipelineFile, pipelineFile } from './schema.ts';
import { type LintError, readYaml, YamlError, type YamlFile } from './yaml.ts';

export type ParseResult = { ok: true; file: PipelineFile } | { ok: false; errors: LintError[] };

const MAX_ERRORS = 50;

/** Never throws for what is written in `text`; errors are in the order of the lines. */
export function parsePipeline(text: string): ParseResult {
  let yaml: YamlFile;
  try {
    yaml = readYaml(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return { ok: false, errors: [{ message: error.message, line: error.line, column: error.column, path: '' }] };
  }
  keepNumbersAsWritten(yaml.document);
  const value: unknown = yaml.document.toJS({ maxAliasCount: -1 });
  const empty = value === null || value === '';
  if (empty)
    return { ok: false, errors: [{ message: 'the file is empty: expected "steps:"', line: 1, column: 1, path: '' }] };

  const shape = pipelineFile.safeParse(value);
  const faults = shape.success ? faultsOf(shape.data) : shape.error.issues.flatMap((issue) => faultsOfIssue(issue));
  if (shape.success && faults.length === 0) return { ok: true, file: shape.data };
  const errors = faults.map((fault) => located(fault, yaml));
  errors.sort((a, b) => a.line - b.line || a.column - b.column);
  return { ok: false, errors: errors.slice(0, MAX_ERRORS) };
}

/** YAML reads `3.10` as 3.1. Where the number is not what was written, what was written is meant. */
function keepNumbersAsWritten(document: Document): void {
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'number' && node.source !== undefined && String(node.value) !== node.source) {
        node.value = node.source;
      }
    },
  });
}

type Issue = z.core.$ZodIssue;

function faultsOfIssue(issue: Issue, above: PropertyKey[] = []): Fault[] {
  const path = [...above, ...issue.path].map(String);
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, index) => ({
      path: [...path, key],
      message: messages[index] ?? `unknown key "${key}"`,
    }));
  }
  if (issue.code === 'invalid_key') {
    const message = `"${path.at(-1)}" cannot be used here: ${issue.issues[0]?.message ?? 'expected another name'}`;
    return [{ path, message }];
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => faultsOfIssue(inner, path));
  }
  return [{ path, message: issue.message }];
}

/** The alternative that was meant: of the right type, and with the fewest faults. Null where that is not clear. */
function closestBranch(branches: Issue[][]): Issue[] | null {
  // A fault inside the value says more for an alternative than one of the value itself, and so does a key it nearly has.
  const weightOf = (issue: Issue) => {
    if (issue.code !== 'unrecognized_keys') return issue.path.length > 0 ? 1 : 1.5;
    return issue.keys.length - 0.5 * issue.message.split('did you mean').slice(1).length;
  };
  const weigh = (branch: Issue[]) => branch.reduce((sum, issue) => sum + weightOf(issue), 0);
  const ofType = branches.filter((branch) => !branch.some((issue) => isWrongType(issue)));
  const [first, second] = ofType.sort((a, b) => weigh(a) - weigh(b));
  if (!first || (second && weigh(second) === weigh(first))) return null;
  return first;
}

const isWrongType = (issue: Issue): boolean =>
  issue.path.length === 0 &&
  (issue.code === 'invalid_type' || (issue.code === 'invalid_union' && closestBranch(issue.errors) === null));

function located({ path, message }: Fault, { document, lines }: YamlFile): LintError {
  const { line, col } = lines.linePos(offsetOf(document, path));
  const key = path.at(-1);
  const text = message.startsWith('is missing') ? `"${key}" ${message}` : message;
  return { message: text, line: Math.max(line, 1), column: Math.max(col, 1), path: path.join('.') };
}

/** Where the last key of `path` that is really there is written (a list's item: where it begins). */
function offsetOf(document: Document, path: readonly string[]): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    if (isSeq(node)) {
      const item = node.items[Number(key)];
      if (!isNode(item)) break;
      node = item;
      offset = item.range?.[0] ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === key);
      if (!pair || !isNode(pair.key)) break;
      offset = pair.key.range?.[0] ?? offset;
      node = isNode(pair.value) ? pair.value : null;
    }
    // An item may stand for a list of one: its index leads nowhere, and the value is the place.
  }
  return offset;
}
