/** When the bytes of a log came in: `.times` has 16 bytes a chunk, its offset and the wall time, both float64 LE. */
import { type FileHandle, open } from 'node:fs/promises';

const MARK = 16;
/** Marks read for one answer. */
const MAX_MARKS = 65_536;

/** Wall times, epoch ms, of these ascending offsets; null where none is known. */
export async function timesAt(file: string, offsets: readonly number[]): Promise<(number | null)[]> {
  const first = offsets[0];
  if (first === undefined) return [];
  const times = await open(file, 'r');
  try {
    const count = Math.floor((await times.stat()).size / MARK);
    const begin = await lastUpTo(times, count, first);
    const marks = Buffer.alloc(Math.min(count - begin, MAX_MARKS) * MARK);
    await times.read(marks, 0, marks.length, begin * MARK);
    let at = 0;
    const offsetOf = (mark: number) => marks.readDoubleLE(mark * MARK);
    return offsets.map((offset) => {
      while ((at + 1) * MARK < marks.length && offsetOf(at + 1) <= offset) at += 1;
      return marks.length > 0 && offsetOf(at) <= offset ? marks.readDoubleLE(at * MARK + 8) : null;
    });
  } finally {
    await times.close();
  }
}

/** Number of the last mark whose offset is not beyond `offset`; 0 where all are. */
async function lastUpTo(times: FileHandle, count: number, offset: number): Promise<number> {
  const mark = Buffer.alloc(8);
  let [low, high] = [0, count];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    await times.read(mark, 0, 8, middle * MARK);
    if (mark.readDoubleLE(0) <= offset) low = middle;
    else high = middle;
  }
  return low;
}
