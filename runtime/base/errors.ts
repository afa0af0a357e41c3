/** The closed set of things that can go wrong. Each door maps every kind to its own codes exactly once. */
export type ErrorKind =
  | 'invalid-argument' // the caller's input is wrong, and would be wrong again
  | 'not-found'
  | 'already-exists'
  | 'failed-precondition' // the object is in a state in which this cannot be done
  | 'permission-denied'
  | 'unauthenticated'
  | 'resource-exhausted' // disk full, a limit reached
  | 'unavailable' // may work later: not recovered yet, a peer is down
  | 'registry-unavailable' // the kubelet knows this reason by its text
  | 'signature-invalid' // the kubelet knows this reason by its text
  | 'data-loss' // bytes are not what their digest or size says
  | 'deadline-exceeded'
  | 'cancelled'
  | 'unimplemented'
  | 'internal'

/** The one error class of lighter: a kind for programs, a sentence that names the object for people. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
  readonly kind: ErrorKind

  constructor(kind: ErrorKind, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.kind = kind
  }
}

export function isKind(err: unknown, kind: ErrorKind): err is RuntimeError {
  return err instanceof RuntimeError && err.kind === kind
}

/** The kind of any thrown value; what is not a RuntimeError is `internal`. */
export function kindOf(err: unknown): ErrorKind {
  return err instanceof RuntimeError ? err.kind : 'internal'
}

export function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}

/** Adds what was being done; keeps the kind. */
export function withContext(doing: string, err: unknown): RuntimeError {
  return new RuntimeError(kindOf(err), `${doing}: ${messageOf(err)}`, { cause: err })
}

/** Errno name of a failed system call (`ENOENT`), or undefined. */
export function errnoOf(err: unknown): string | undefined {
  if (!(err instanceof Error) || !('code' in err) || typeof err.code !== 'string') return undefined
  return err.code
}
