/** What an import gives, and how it tells what it could not carry over. */

/** `text` is what stood there, `line` where (null where that is not known), `why` what to do about it. */
export interface Note {
  line: number | null;
  text: string;
  why: string;
}

export interface Imported {
  /** A pipeline file that `parsePipeline` takes; every note is a comment in it, at its place. */
  yaml: string;
  /** In the order of the lines. */
  notes: Note[];
}

/** Far more than anybody writes: the largest Jenkinsfile of a public project we saw has 60 KiB. */
export const MAX_SOURCE = 256 * 1024;
export const MAX_DEPTH = 50;
