import assert from 'node:assert/strict'
import { grpcCode } from '../../cri/grpc/status.ts'

export type CodeName = keyof typeof grpcCode

/** The call must fail with this gRPC code and a text that matches. */
export async function fails(call: Promise<unknown>, code: CodeName, text: RegExp): Promise<void> {
  const outcome = await call.then(
    answer => ({ answer }),
    (err: unknown) => ({ err }),
  )
  if (!('err' in outcome)) assert.fail(`succeeded, wanted ${code} ${String(text)}`)
  const { err } = outcome
  if (!(err instanceof Error) || !('code' in err) || !('details' in err)) throw err
  const name = Object.entries(grpcCode).find(([, number]) => number === err.code)?.[0] ?? String(err.code)
  assert.equal(name, code, `code ${name}, text "${String(err.details)}"`)
  assert.match(String(err.details), text)
}
