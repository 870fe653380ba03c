/** Commits as `git log -z` prints them. */
import type { Change } from '../../pipelines/model.ts';

export const MAX_FILES = 100;
const MAX_MESSAGE = 10_000;
/** Who commits chooses the time; later ones cannot be written as a date. */
const LATEST = Date.UTC(9999, 11, 31);
const FIELDS = ['%H', '%an', '%ae', '%ct', '%B'];

/** NUL is the one byte that no field and no path can contain. Merges are compared with their first parent. */
export const LOG_FORMAT = [
  '-z',
  `--format=${FIELDS.map((field) => `%x00${field}`).join('')}%x00`,
  '--name-only',
  '--diff-merges=first-parent',
  '--no-renames',
];

/**
 * Parses the output of `git log` with LOG_FORMAT. A record is its fields, an empty string, and where files were touched a
 * newline (in front of the first path), the paths and an empty string.
 */
export function parseLog(output: string): Change[] {
  const tokens = output.split('\0');
  const changes: Change[] = [];
  let at = skipEmpty(tokens, 0);
  while (at < tokens.length) {
    const [revision = '', author = '', email = '', seconds = '', message = ''] = tokens.slice(at, at + FIELDS.length);
    if (!/^[0-9a-f]{40,64}$/.test(revision)) throw new Error(`git log printed something unexpected at field ${at}`);
    at = skipEmpty(tokens, at + FIELDS.length);
    const files: string[] = [];
    let moreFiles = false;
    if (tokens[at]?.startsWith('\n')) {
      for (; at < tokens.length && tokens[at] !== ''; at++) {
        if (files.length === MAX_FILES) moreFiles = true;
        else files.push(files.length === 0 ? (tokens[at] as string).slice(1) : (tokens[at] as string));
      }
      at = skipEmpty(tokens, at);
    }
    changes.push({
      revision,
      author: author || null,
      email: email || null,
      message: message.trimEnd().slice(0, MAX_MESSAGE),
      at: Math.min(Number(seconds) * 1000, LATEST),
      files,
      ...(moreFiles ? { moreFiles } : {}),
    });
  }
  return changes;
}

function skipEmpty(tokens: string[], from: number): number {
  let at = from;
  while (at < tokens.length && tokens[at] === '') at++;
  return at;
}
