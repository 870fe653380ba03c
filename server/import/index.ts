/** What Jenkins has of a job, as a pipeline file with a comment for everything that it cannot say. */
import { newDraft } from './draft.ts';
import { readJenkinsfile } from './jenkinsfile.ts';
import { importJobXml } from './job-xml.ts';
import type { Imported } from './notes.ts';
import { newScope } from './scope.ts';
import type { Job } from './stages.ts';
import { written } from './written.ts';

export type { Imported, Note } from './notes.ts';
export { importJobXml };

/** Throws `invalid` or `too_large` where the file cannot be read at all. */
export function importJenkinsfile(text: string): Imported {
  const job: Job = { draft: newDraft('Jenkinsfile', text), scope: newScope() };
  readJenkinsfile(text, job);
  return written(job);
}

/** Whichever of the two it is: XML begins with `<`. */
export const importJob = (text: string): Imported =>
  /^[\uFEFF\s]*</.test(text) ? importJobXml(text) : importJenkinsfile(text);
