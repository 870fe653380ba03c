/** Test reports and artifacts: what a step leaves behind. */
import { argument, type Context, drop } from './context.ts';
import type { Call, Statement } from './groovy.ts';
import { toFileValue, toText } from './scope.ts';

const REPORTS = new Set(['junit', 'archiveArtifacts', 'archive']);

/** What only collects files may stand anywhere in a step: it is done at its end, failed or not. */
export function isReport(statement: Statement): boolean {
  if (statement.kind !== 'call') return false;
  return (
    REPORTS.has(statement.name) || (statement.name === 'step' && /JUnit|ArtifactArchiver/.test(classOf(statement)))
  );
}

export const classOf = (call: Call): string => {
  const map = call.args[0]?.kind === 'map' ? call.args[0].entries : call.named;
  return toText(map.get('$class')) ?? '';
};

/** Reports and artifacts are named with commas in between. */
export function keepGlobs(call: Call, context: Context, name: string, into: Set<string>): void {
  const text = toFileValue(argument(call, name), context.scope);
  if (text === null) {
    drop(context, call, 'write the paths as they are');
    return;
  }
  for (const glob of globsOf(text)) into.add(glob);
  const excludes = toFileValue(call.named.get('excludes'), context.scope);
  for (const glob of excludes ? globsOf(excludes) : []) into.add(`!${glob}`);
}

/** `a.jar, b/` → `a.jar` and `b/**`. */
export const globsOf = (text: string): string[] =>
  text
    .split(/[,\n]/)
    .map((glob) =>
      glob
        .trim()
        .replace(/^(\.\/|\/)+/, '')
        .replace(/\/$/, '/**'),
    )
    .filter((glob) => glob !== '');
