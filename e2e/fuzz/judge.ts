import { grpcCode, maxDetailsBytes } from '../../cri/grpc/status.ts'
import type { RawOutcome } from './raw-call.ts'

/** What an answer must not do. */
export interface Secrets {
  /** Directories that clients do not know of. */
  readonly directories: readonly string[]
}

/** What the kubelet must see as UNKNOWN to find the reason in front. */
const reasons = /^(RegistryUnavailable|SignatureValidationFailed): /

/** What is wrong with how a call ended; undefined: nothing. */
export function fault(
  { code, details }: RawOutcome,
  request: Uint8Array,
  { directories }: Secrets,
): string | undefined {
  if (code === grpcCode.ok) return undefined
  if (code === grpcCode.internal) return 'an internal error'
  if (code === grpcCode.unknown && !reasons.test(details)) return 'an unknown error'
  if (code === grpcCode.deadlineExceeded) return 'no answer in time'
  if (details.trim().length < 10) return 'no message'
  if (Buffer.byteLength(details) > maxDetailsBytes) return 'the message is too long'
  if (/\n\s+at |\.js:\d/.test(details)) return 'a stack trace'
  const told = directories.find(directory => details.includes(directory))
  if (told !== undefined && !Buffer.from(request).includes(told)) return `the message tells of ${told}`
  return undefined
}
