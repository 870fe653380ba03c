/**
 * What a user can mend is an `AppError`: it names what was wrong, what was expected, and what to do.
 * Anything else that is thrown is a bug or a broken machine: it is logged with context and shown as "internal error".
 */
export type ErrorCode =
  | 'invalid' // the request or a file is wrong; `field` says where
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict' // the state of something forbids it; also closed gates and stale tokens
  | 'too_large'
  | 'rate_limited'
  | 'unavailable' // we cannot take it now (disk full, shutting down)
  | 'remote'; // a repository, registry, engine or mail server let us down: see RemoteError

export class AppError extends Error {
  readonly code: ErrorCode;
  /** Dotted path of the field at fault, e.g. `source.kind`. */
  readonly field: string | undefined;
  /** Further members of the problem document, e.g. `gates`, `errors`. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { field?: string; extra?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.field = options.field;
    this.extra = options.extra ?? {};
  }
}

export const invalid = (message: string, field?: string): AppError =>
  new AppError('invalid', message, field === undefined ? {} : { field });
export const notFound = (message: string): AppError => new AppError('not_found', message);
export const conflict = (message: string, extra?: Record<string, unknown>): AppError =>
  new AppError('conflict', message, extra ? { extra } : {});

export type Party = 'repository' | 'registry' | 'engine' | 'smtp' | 'compose';
/** Why a remote party failed us. Decided from codes and exit states, never shown raw. */
export type Fault = 'auth' | 'not-found' | 'unreachable' | 'timeout' | 'refused' | 'protocol';

/** Another system said no or did not answer. The message is redacted and fit for users. */
export class RemoteError extends AppError {
  readonly party: Party;
  readonly fault: Fault;

  constructor(party: Party, fault: Fault, message: string, cause?: unknown) {
    super('remote', message, { extra: { party, fault }, cause });
    this.name = 'RemoteError';
    this.party = party;
    this.fault = fault;
  }
}

/** The text of anything thrown, for a log or a reason. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
