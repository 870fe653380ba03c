/**
 * What of BuildKit's `moby.buildkit.v1.StatusResponse` is shown in a log; fields that are not listed are skipped when
 * decoding. Source: api/services/control/control.proto of moby/buildkit.
 */
import protobuf from 'protobufjs';

export interface Timestamp {
  seconds: number;
  nanos: number;
}
/** A step of the build graph. Sent again whenever something of it changes. */
export interface Vertex {
  digest: string;
  name: string;
  cached: boolean;
  started: Timestamp | null;
  completed: Timestamp | null;
  error: string;
}
/** A part of a vertex with progress of its own, e.g. one layer that is downloaded. */
export interface VertexStatus {
  ID: string;
  vertex: string;
  completed: Timestamp | null;
}
/** Output of a vertex: any bytes, not whole lines. */
export interface VertexLog {
  vertex: string;
  /** 1 = stdout, 2 = stderr */
  stream: number;
  msg: Uint8Array;
}
export interface BuildStatus {
  vertexes: Vertex[];
  statuses: VertexStatus[];
  logs: VertexLog[];
}

const time = (id: number) => ({ type: 'Timestamp', id });
const root = protobuf.Root.fromJSON({
  nested: {
    Timestamp: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } },
    Vertex: {
      fields: {
        digest: { type: 'string', id: 1 },
        name: { type: 'string', id: 3 },
        cached: { type: 'bool', id: 4 },
        started: time(5),
        completed: time(6),
        error: { type: 'string', id: 7 },
      },
    },
    VertexStatus: {
      fields: { ID: { type: 'string', id: 1 }, vertex: { type: 'string', id: 2 }, completed: time(8) },
    },
    VertexLog: {
      fields: { vertex: { type: 'string', id: 1 }, stream: { type: 'int64', id: 3 }, msg: { type: 'bytes', id: 4 } },
    },
    StatusResponse: {
      fields: {
        vertexes: { rule: 'repeated', type: 'Vertex', id: 1 },
        statuses: { rule: 'repeated', type: 'VertexStatus', id: 2 },
        logs: { rule: 'repeated', type: 'VertexLog', id: 3 },
      },
    },
  },
});
const response = root.lookupType('StatusResponse');

export const decodeStatus = (bytes: Uint8Array): BuildStatus =>
  response.toObject(response.decode(bytes), { longs: Number, defaults: true, arrays: true }) as BuildStatus;

/** For tests. */
export const encodeStatus = (status: object): Uint8Array => response.encode(response.fromObject(status)).finish();
