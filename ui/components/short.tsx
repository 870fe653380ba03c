/** Digests and revisions, short; the whole of it is a hover away. */

/** The first line of a message. */
export const firstLine = (text: string): string => text.trim().split('\n', 1)[0] ?? '';

export const shortRevision = (revision: string): string =>
  /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(revision)
    ? revision.slice(0, 7)
    : /^\d+$/.test(revision)
      ? `r${revision}`
      : revision;
export const shortDigest = (digest: string): string => `@${digest.replace('sha256:', '').slice(0, 8)}`;

export const Digest = ({ of }: { of: string | null }) =>
  of === null ? <span className="muted">–</span> : <code title={of}>{shortDigest(of)}</code>;
/** Linked where the source says which page it has. */
export function Revision({ of, url }: { of: string; url?: string | undefined }) {
  const short = <code title={of}>{shortRevision(of)}</code>;
  return url === undefined ? (
    short
  ) : (
    <a href={url} rel="noreferrer">
      {short}
    </a>
  );
}
