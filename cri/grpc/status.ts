import { type ErrorKind, RuntimeError } from '#base/errors'

/** Status codes of gRPC, as on the wire. */
export const grpcCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

export type GrpcCode = (typeof grpcCode)[keyof typeof grpcCode]

/** How a failed RPC ends. */
export interface RpcStatus {
  readonly code: GrpcCode
  readonly details: string
}

/** The text travels in a header, and people read it: longer texts are cut in the middle. */
export const maxDetailsBytes = 1024
/** The end of a cut text: mostly what to do, or the kernel's reason. */
const endBytes = 256

/** The answer to a failed RPC. What is not a RuntimeError tells the client nothing but "internal error". */
export function toStatus(err: unknown): RpcStatus {
  if (!(err instanceof RuntimeError)) return { code: grpcCode.internal, details: 'internal error' }
  return { code: codeOf(err.kind), details: cut(`${prefixOf(err.kind)}${err.message}`) }
}

/** THE table: what each kind of error is called in gRPC. */
function codeOf(kind: ErrorKind): GrpcCode {
  switch (kind) {
    case 'invalid-argument':
      return grpcCode.invalidArgument
    case 'not-found':
      return grpcCode.notFound
    case 'already-exists':
      return grpcCode.alreadyExists
    case 'failed-precondition':
      return grpcCode.failedPrecondition
    case 'permission-denied':
      return grpcCode.permissionDenied
    case 'unauthenticated':
      return grpcCode.unauthenticated
    case 'resource-exhausted':
      return grpcCode.resourceExhausted
    case 'unavailable':
      return grpcCode.unavailable
    case 'registry-unavailable':
    case 'signature-invalid':
      // The kubelet strips the gRPC wrapper, and so sees the reason in front, only when the code is UNKNOWN.
      return grpcCode.unknown
    case 'data-loss':
      return grpcCode.dataLoss
    case 'deadline-exceeded':
      return grpcCode.deadlineExceeded
    case 'cancelled':
      return grpcCode.cancelled
    case 'unimplemented':
      return grpcCode.unimplemented
    case 'internal':
      return grpcCode.internal
  }
}

/** Reasons that the kubelet recognises by the beginning of the text (pkg/kubelet/images). */
function prefixOf(kind: ErrorKind): string {
  if (kind === 'registry-unavailable') return 'RegistryUnavailable: '
  if (kind === 'signature-invalid') return 'SignatureValidationFailed: '
  return ''
}

function cut(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxDetailsBytes) return bytes.toString()
  // The ellipsis has three bytes, and so has what each byte of a character that was cut may become.
  const beginning = bytes.subarray(0, maxDetailsBytes - endBytes - 12).toString()
  return `${beginning}…${bytes.subarray(-endBytes).toString()}`
}
