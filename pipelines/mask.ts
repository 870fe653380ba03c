/**
 * Masks secrets in a stream of bytes before it leaves the runner. What comes out does not depend on how the stream was
 * cut into chunks; only a tail that may be the beginning of a secret is held back.
 */
import { needlesOf } from './mask-needles.ts';

export interface Masker {
  /** What may leave now, perhaps as a view of `chunk`; what is held back is a copy. */
  push(chunk: Uint8Array): Uint8Array;
  /** What was held back. The masker can be used for another stream then. */
  end(): Uint8Array;
}

const MASK = Buffer.from('***');
const NOTHING = new Uint8Array();

export function createMasker(secrets: readonly string[]): Masker {
  const needles = needlesOf(secrets);
  if (needles.length === 0) return { push: (chunk) => chunk, end: () => NOTHING };
  const search = new Search(needles);
  let held: Uint8Array = NOTHING;
  // Bytes of `held` that belong to a secret for which `***` has been written.
  let covered = 0;

  const run = (chunk: Uint8Array, final: boolean): Uint8Array => {
    const bytes = held.length > 0 ? Buffer.concat([held, chunk]) : chunk;
    const view = visible(bytes, final);
    const stop = final ? view.bytes.length : search.tail(view.bytes);
    const at = (index: number) => view.positions?.[index] ?? index;
    const limit = stop < view.bytes.length ? at(stop) : view.end;
    const out: Uint8Array[] = [];
    let masked = covered;
    let written = covered;
    search.each(view.bytes, stop, (start, end) => {
      const from = at(start);
      const to = at(end - 1) + 1;
      if (from >= masked) {
        out.push(bytes.subarray(written, from), MASK);
        masked = to;
      } else if (to > masked) masked = to;
      written = masked;
    });
    if (written < limit) out.push(bytes.subarray(written, limit));
    covered = Math.max(0, masked - limit);
    // A copy: the caller may use its buffer again.
    held = limit < bytes.length ? new Uint8Array(bytes.subarray(limit)) : NOTHING;
    const [only = NOTHING] = out;
    return out.length <= 1 ? only : Buffer.concat(out);
  };
  return {
    push: (chunk) => run(chunk, false),
    end: () => {
      const rest = run(NOTHING, true);
      held = NOTHING;
      covered = 0;
      return rest;
    },
  };
}

interface Visible {
  bytes: Uint8Array;
  /** Where each of `bytes` is in the stream; null where nothing was left out. */
  positions: Uint32Array | null;
  /** Where the stream ends, or an unfinished escape sequence begins. */
  end: number;
}

const ESC = 0x1b;
const BRACKET = 0x5b;
/** Longer ones are not colours. */
const MAX_SEQUENCE = 32;

/** The bytes without ANSI control sequences (`ESC [ … letter`), which may stand in the middle of a coloured secret. */
function visible(bytes: Uint8Array, final: boolean): Visible {
  if (!bytes.includes(ESC)) return { bytes, positions: null, end: bytes.length };
  const kept = new Uint8Array(bytes.length);
  const positions = new Uint32Array(bytes.length);
  let length = 0;
  let index = 0;
  while (index < bytes.length) {
    const byte = bytes[index] as number;
    if (byte === ESC) {
      const end = sequenceEnd(bytes, index);
      if (end === null && !final) break;
      if (end !== null && end > index) {
        index = end;
        continue;
      }
    }
    kept[length] = byte;
    positions[length] = index;
    length += 1;
    index += 1;
  }
  return { bytes: kept.subarray(0, length), positions, end: index };
}

/** Behind the sequence that begins at `start`; `start` where there is none; null where more bytes must tell. */
function sequenceEnd(bytes: Uint8Array, start: number): number | null {
  if (start + 1 >= bytes.length) return null;
  if (bytes[start + 1] !== BRACKET) return start;
  const most = start + MAX_SEQUENCE;
  for (let index = start + 2; index < most; index++) {
    const byte = bytes[index];
    if (byte === undefined) return null;
    if (byte >= 0x40 && byte <= 0x7e) return index + 1;
    if (byte < 0x20 || byte > 0x3f) return start;
  }
  return start;
}

/**
 * Looks for many needles at once: Wu and Manber's algorithm ("A fast algorithm for multi-pattern searching", 1994) with
 * blocks of two bytes. The pair of bytes at the end of a window says how far the window can be moved on.
 */
class Search {
  private readonly needles: readonly Uint8Array[];
  private readonly window: number;
  private readonly shifts: Uint8Array;
  /** Needles by the pair of bytes that ends their first window. */
  private readonly byPair = new Map<number, Uint8Array[]>();
  private readonly firstBytes = new Uint8Array(256);
  private readonly longest: number;

  constructor(needles: readonly Uint8Array[]) {
    this.needles = needles;
    this.window = Math.min(255, ...needles.map((needle) => needle.length));
    this.longest = Math.max(...needles.map((needle) => needle.length));
    this.shifts = new Uint8Array(0x10000).fill(this.window - 1);
    for (const needle of needles) this.add(needle);
  }

  private add(needle: Uint8Array): void {
    this.firstBytes[needle[0] as number] = 1;
    for (let index = 1; index < this.window; index++) {
      const pair = pairAt(needle, index);
      this.shifts[pair] = Math.min(this.shifts[pair] as number, this.window - 1 - index);
    }
    const last = pairAt(needle, this.window - 1);
    this.byPair.set(last, [...(this.byPair.get(last) ?? []), needle]);
  }

  /** Every occurrence that begins before `stop`, in the order of where it begins; overlapping ones too. */
  each(bytes: Uint8Array, stop: number, found: (start: number, end: number) => void): void {
    const { shifts, window } = this;
    const last = Math.min(bytes.length, stop + window - 1);
    for (let index = window - 1; index < last; ) {
      const shift = shifts[pairAt(bytes, index)] as number;
      if (shift > 0) {
        index += shift;
        continue;
      }
      const start = index - window + 1;
      for (const needle of this.byPair.get(pairAt(bytes, index)) ?? []) {
        if (startsWith(bytes, start, needle, needle.length)) found(start, start + needle.length);
      }
      index += 1;
    }
  }

  /** Where the longest tail begins that is the beginning of a needle; the end of `bytes` where there is none. */
  tail(bytes: Uint8Array): number {
    for (let start = Math.max(0, bytes.length - this.longest + 1); start < bytes.length; start++) {
      if (this.firstBytes[bytes[start] as number] === 0) continue;
      const length = bytes.length - start;
      if (this.needles.some((needle) => needle.length > length && startsWith(bytes, start, needle, length)))
        return start;
    }
    return bytes.length;
  }
}

const pairAt = (bytes: Uint8Array, index: number): number =>
  ((bytes[index - 1] as number) << 8) | (bytes[index] as number);

function startsWith(bytes: Uint8Array, start: number, needle: Uint8Array, length: number): boolean {
  if (start + length > bytes.length) return false;
  for (let index = 0; index < length; index++) if (bytes[start + index] !== needle[index]) return false;
  return true;
}
