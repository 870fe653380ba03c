/** Which items of a picker are meant by what was typed. */

export interface Searchable {
  key: string;
  /** Shown once it is chosen. */
  text: string;
  /** What is searched; the text, where left out. */
  search?: string;
}

/** Of thousands of branches so many are shown; typing finds the others. */
const SHOWN = 100;

/** `make` makes an item of what was typed; it is asked where the list has nothing. */
export function searchItems<T extends Searchable>(
  items: readonly T[],
  typed: string,
  make?: (text: string) => T | null,
): { found: T[]; more: number } {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = items.filter((item) => {
    const text = (item.search ?? item.text).toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const made = matching.length === 0 ? make?.(typed.trim()) : null;
  return { found: made ? [made] : matching.slice(0, SHOWN), more: Math.max(0, matching.length - SHOWN) };
}
