/** Turns what BuildKit or the classic builder reports into lines that read like a build: `#2 [1/3] FROM busybox`. */
import { type BuildStatus, decodeStatus, type Timestamp, type Vertex } from './buildkit-status.ts';

/** Takes whole lines, newline included. */
export type WriteLines = (lines: Buffer) => void;

const NEWLINE = 0x0a;
/** Bytes of an unfinished line that are kept back; a progress bar without newlines is written in pieces of this size. */
const LINE_LIMIT = 64 * 1024;
/** Sending the context is our doing, not a step of the Dockerfile. */
const HIDDEN = /^(\[internal\] load |copy \/context)/;

interface ShownVertex {
  prefix: string;
  rest: Map<number, Buffer>;
  done: boolean;
  statuses: Set<string>;
}

export class BuildLog {
  readonly #write: WriteLines;
  readonly #vertices = new Map<string, ShownVertex>();
  #classic: Buffer = Buffer.alloc(0);

  constructor(write: WriteLines) {
    this.#write = write;
  }

  /** The `aux` of a `moby.buildkit.trace` event. */
  trace(base64: string): void {
    this.status(decodeStatus(Buffer.from(base64, 'base64')));
  }

  status({ vertexes, statuses, logs }: BuildStatus): void {
    for (const vertex of vertexes) if (vertex.started || vertex.cached || vertex.error) this.#show(vertex);
    for (const { vertex, stream, msg } of logs) {
      const shown = this.#vertices.get(vertex);
      if (shown) shown.rest.set(stream, this.#lines(shown.prefix, shown.rest.get(stream), msg));
    }
    for (const { ID, vertex, completed } of statuses) {
      const shown = this.#vertices.get(vertex);
      if (!completed || !shown || shown.statuses.has(ID)) continue;
      shown.statuses.add(ID);
      this.#line(`${shown.prefix}${ID} done`);
    }
    for (const vertex of vertexes) if (vertex.completed) this.#complete(vertex, vertex.completed);
  }

  /** Output of the classic builder. */
  output(text: string): void {
    this.#classic = this.#lines('', this.#classic, Buffer.from(text));
  }

  /** Writes what is left of unfinished lines. */
  end(): void {
    for (const shown of this.#vertices.values()) this.#flush(shown);
    if (this.#classic.length > 0) this.#line(this.#classic);
    this.#classic = Buffer.alloc(0);
  }

  #show(vertex: Vertex): void {
    if (this.#vertices.has(vertex.digest) || (HIDDEN.test(vertex.name) && !vertex.error)) return;
    const prefix = `#${this.#vertices.size + 1} `;
    this.#vertices.set(vertex.digest, { prefix, rest: new Map(), done: false, statuses: new Set() });
    this.#line(`${prefix}${vertex.name.replaceAll('\n', ' ')}`);
  }

  #complete(vertex: Vertex, completed: Timestamp): void {
    const shown = this.#vertices.get(vertex.digest);
    if (!shown || shown.done) return;
    shown.done = true;
    this.#flush(shown);
    if (vertex.error) this.#line(`${shown.prefix}ERROR: ${vertex.error}`);
    else if (vertex.cached) this.#line(`${shown.prefix}CACHED`);
    else this.#line(`${shown.prefix}DONE ${seconds(vertex.started, completed).toFixed(1)}s`);
  }

  #flush(shown: ShownVertex): void {
    for (const rest of shown.rest.values())
      if (rest.length > 0) this.#line(Buffer.concat([Buffer.from(shown.prefix), rest]));
    shown.rest.clear();
  }

  #line(line: string | Buffer): void {
    this.#write(Buffer.concat([typeof line === 'string' ? Buffer.from(line) : line, Buffer.of(NEWLINE)]));
  }

  /** Writes the whole lines of `rest` + `bytes`, and gives back what is left. */
  #lines(prefix: string, rest: Buffer | undefined, bytes: Uint8Array): Buffer {
    const all = rest?.length ? Buffer.concat([rest, bytes]) : Buffer.from(bytes);
    const out: Buffer[] = [];
    const head = Buffer.from(prefix);
    let start = 0;
    for (let end = all.indexOf(NEWLINE); end >= 0; end = all.indexOf(NEWLINE, start)) {
      out.push(head, all.subarray(start, end + 1));
      start = end + 1;
    }
    if (all.length - start > LINE_LIMIT) {
      out.push(head, all.subarray(start), Buffer.of(NEWLINE));
      start = all.length;
    }
    if (out.length > 0) this.#write(Buffer.concat(out));
    return all.subarray(start);
  }
}

const seconds = (from: Timestamp | null, to: Timestamp): number =>
  from ? Math.max(0, to.seconds - from.seconds + (to.nanos - from.nanos) / 1e9) : 0;
