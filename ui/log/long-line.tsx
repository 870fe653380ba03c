/** A line that is too long for its row, wrapped, as far as a page can bear it. */
import { useQuery } from '@tanstack/react-query';
import { Modal } from '../components/modal.tsx';
import { Problem } from '../components/problem.tsx';
import css from './log.module.css';
import { Text } from './log-line.tsx';
import type { Line } from './log-source.ts';
import { sizeInWords } from './units.ts';
import type { LogText } from './words.ts';

const MOST = 256 * 1024;

interface Props {
  url: string;
  number: number;
  line: Line;
  t: LogText;
  onClose: () => void;
}

export function LongLine({ url, number, line, t, onClose }: Props) {
  const shown = Math.min(line.bytes, MOST);
  const { data, error } = useQuery({
    queryKey: ['line', url, line.offset],
    queryFn: ({ signal }) => readBytes(url, line.offset, shown, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  return (
    <Modal title={t('log.longLine', { line: number, size: sizeInWords(line.bytes) })} onClose={onClose}>
      {error && <Problem error={error} />}
      {shown < line.bytes && (
        <p className="muted">{t('log.longCut', { shown: sizeInWords(shown), size: sizeInWords(line.bytes) })}</p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard */}
      <pre className={css.whole} tabIndex={0}>
        <Text text={data ?? line.text} query="" />
      </pre>
    </Modal>
  );
}

async function readBytes(url: string, offset: number, length: number, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { headers: { Range: `bytes=${offset}-${offset + length - 1}` }, signal });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.text();
}
