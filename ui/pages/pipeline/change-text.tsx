import type { Change } from '../../api/types.ts';
import { firstLine, Revision } from '../../components/short.tsx';
import { Ago } from '../../components/time.tsx';

/** A change on two lines. */
export function ChangeText({ change: { revision, message, author, at } }: { change: Change }) {
  return (
    <>
      <span>{firstLine(message) || '–'}</span>
      <span className="muted small">
        <Revision of={revision} /> · {author && `${author} · `}
        <Ago at={at} />
      </span>
    </>
  );
}
