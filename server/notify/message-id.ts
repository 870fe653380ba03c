/** Deterministic ids: a mail that is sent again is the same mail, and what belongs together is one thread. */
import { createHash } from 'node:crypto';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export const messageIdOf = (mail: { runId: number; kind: string; recipient: string }, publicUrl: string): string =>
  `<${mail.runId}.${mail.kind}.${hash(mail.recipient.toLowerCase())}@${new URL(publicUrl).hostname}>`;

/** One broken streak of a branch (`since`: number of its first failed build), or one release of a stack. */
export type Thread =
  | { pipelineId: number; branch: string; since: number }
  | { projectId: number; stack: string; release: string };

/** For `References`. No mail bears this id itself, so that a thread holds together whoever got which part of it. */
export function threadIdOf(thread: Thread, publicUrl: string): string {
  const key =
    'branch' in thread
      ? `streak ${thread.pipelineId} ${thread.branch} ${thread.since}`
      : `release ${thread.projectId} ${thread.stack} ${thread.release}`;
  return `<thread.${hash(key)}@${new URL(publicUrl).hostname}>`;
}
