/** What a catalog is: a pair of tables with the same keys; the compiler refuses a missing one. */

export type Language = 'en' | 'zh';
export type Catalog<Key extends string> = Record<Language, Record<Key, string>>;
export type Fill = Record<string, string | number>;
/** The words under a key, with `{name}` filled in. */
export type Translate<Key extends string> = (key: Key, fill?: Fill) => string;
