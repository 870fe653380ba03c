/** From a job that was read to the text of its pipeline file. */
import { finish } from './finish.ts';
import type { Imported } from './notes.ts';
import type { Job } from './stages.ts';
import { Writer } from './write.ts';

export function written({ draft, scope }: Job): Imported {
  const writer = new Writer(draft.origin);
  writer.write(finish(draft, scope));
  const notes = [...writer.notes].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return { yaml: writer.text(), notes };
}
