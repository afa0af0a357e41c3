import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorKind, RuntimeError } from '#base/errors'
import { grpcCode, maxDetailsBytes, toStatus } from './status.ts'

const table: Readonly<Record<ErrorKind, { readonly code: number; readonly details: string }>> = {
  'invalid-argument': { code: 3, details: 'no' },
  'not-found': { code: 5, details: 'no' },
  'already-exists': { code: 6, details: 'no' },
  'failed-precondition': { code: 9, details: 'no' },
  'permission-denied': { code: 7, details: 'no' },
  unauthenticated: { code: 16, details: 'no' },
  'resource-exhausted': { code: 8, details: 'no' },
  unavailable: { code: 14, details: 'no' },
  'registry-unavailable': { code: 2, details: 'RegistryUnavailable: no' },
  'signature-invalid': { code: 2, details: 'SignatureValidationFailed: no' },
  'data-loss': { code: 15, details: 'no' },
  'deadline-exceeded': { code: 4, details: 'no' },
  cancelled: { code: 1, details: 'no' },
  unimplemented: { code: 12, details: 'no' },
  internal: { code: 13, details: 'no' },
}

for (const [kind, expected] of Object.entries(table) as [ErrorKind, { code: number; details: string }][]) {
  test(`${kind} goes out as code ${expected.code} with the text "${expected.details}"`, () => {
    assert.deepEqual(toStatus(new RuntimeError(kind, 'no')), expected)
  })
}

test('what is not a RuntimeError tells the client nothing', () => {
  for (const thrown of [new Error('password is hunter2'), 'hunter2', undefined, null]) {
    assert.deepEqual(toStatus(thrown), { code: grpcCode.internal, details: 'internal error' })
  }
})

test('a long text is cut in the middle, says so, and keeps its end', () => {
  for (const letter of ['a', 'ä', '€', '\u{1f4a5}']) {
    const { details } = toStatus(new RuntimeError('internal', `no: ${letter.repeat(10_000)}: do this`))
    assert.ok(Buffer.byteLength(details) <= maxDetailsBytes, letter)
    assert.match(details, /^no: [^…]+…[^…]+: do this$/)
  }
})

test('half a surrogate pair does not break the header', () => {
  const { details } = toStatus(new RuntimeError('internal', 'a\ud800b'))
  assert.doesNotThrow(() => encodeURI(details))
})
