/** What holds for all repositories of an installation, whichever tool reads them. */
export interface ScmOptions {
  /** Whether `file://` repositories may be used. */
  allowFile: boolean;
  /** An intranet's own CA, trusted besides the machine's. */
  caFile: string | null;
  /** A question to a server may take so long, in ms; so may, while much is transferred, each pause. */
  timeoutMs: number;
  /** Of this installation: the first part of the cookie that the tools' processes bear. */
  instance?: string;
}
