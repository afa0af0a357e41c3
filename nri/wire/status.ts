import { type ErrorKind, kindOf, messageOf, RuntimeError } from '#base/errors'

/** Status codes of ttrpc answers are those of gRPC; this is the only file of NRI that knows them. */
const codes: Readonly<Record<ErrorKind, number>> = {
  cancelled: 1,
  'invalid-argument': 3,
  'deadline-exceeded': 4,
  'not-found': 5,
  'already-exists': 6,
  'permission-denied': 7,
  'resource-exhausted': 8,
  'failed-precondition': 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  'data-loss': 15,
  unauthenticated: 16,
  'registry-unavailable': 14,
  'signature-invalid': 9,
}

const kinds: ReadonlyMap<number, ErrorKind> = new Map([
  [3, 'invalid-argument'],
  [5, 'not-found'],
  [7, 'permission-denied'],
  [8, 'resource-exhausted'],
  [9, 'failed-precondition'],
  [12, 'unimplemented'],
  [14, 'unavailable'],
])

export function statusOf(err: unknown): { readonly code: number; readonly message: string } {
  return { code: codes[kindOf(err)], message: messageOf(err) }
}

/** The error that an answer stands for; undefined for success. Go programs that say no more than "error" use code 2. */
export function errorOf(
  status: { readonly code?: number | null; readonly message?: string | null } | null | undefined,
): RuntimeError | undefined {
  const code = status?.code ?? 0
  if (code === 0) return undefined
  return new RuntimeError(kinds.get(code) ?? 'internal', status?.message ?? `status code ${code}`)
}
