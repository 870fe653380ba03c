/** The names that are looked up stand in files: one of them may be `constructor`. */
export const lookup = <Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;
