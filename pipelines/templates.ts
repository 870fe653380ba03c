/** Which values of a pipeline file have variables, and how they are reached: one walk, for the check and for the plan. */

/** Keys of a step whose values are taken as they are: scripts, and what names other things. */
const PLAIN = new Set(['run', 'needs', 'when', 'matrix', 'secrets']);
/** Keys below which a value may be anything; elsewhere it ends up in names, paths and tags. */
const FREE = new Set(['env', 'args', 'command']);

export interface TemplatePlace {
  path: string[];
  /** The value may be any text. */
  free: boolean;
}

/** A copy of a step, service or map in which every text with variables is what `fill` made of it. */
export function fillIn<Value>(
  value: Value,
  path: string[],
  fill: (text: string, place: TemplatePlace) => string,
): Value {
  const walk = (node: unknown, at: string[], free: boolean): unknown => {
    if (typeof node === 'string') return fill(node, { path: at, free });
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...at, String(index)], free));
    if (typeof node !== 'object' || node === null) return node;
    const entries = Object.entries(node).map(([key, child]) => {
      const below = [...at, key];
      return [key, PLAIN.has(key) && at.length === path.length ? child : walk(child, below, free || FREE.has(key))];
    });
    return Object.fromEntries(entries);
  };
  return walk(value, path, FREE.has(path.at(-1) ?? '')) as Value;
}
