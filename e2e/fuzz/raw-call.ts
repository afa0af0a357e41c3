import type { CriClient } from '../../cri/grpc/client.ts'
import type { AnyMethod } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'

/** How a call ended: well, or with a status. */
export interface RawOutcome {
  readonly code: number
  /** "" when it ended well. */
  readonly details: string
}

const answerTimeoutMs = 15_000
/** A stream that is open is left after its first message, or after this time. */
const streamPatienceMs = 50

/**
 * Calls an RPC with these bytes as its request. A stream that this side leaves has ended well. An answer that does not
 * come is `deadlineExceeded`.
 */
export async function rawCall(client: CriClient, method: AnyMethod, bytes: Uint8Array): Promise<RawOutcome> {
  const request = {
    encode: () => ({ finish: () => bytes }),
    decode: (reply: Uint8Array) => method.request.decode(reply),
  }
  const raw: AnyMethod = { ...method, request }
  try {
    if (method.isServerStream) return await lookAt(client, raw)
    await client.call(raw, noMessage, { timeoutMs: answerTimeoutMs })
    return endedWell
  } catch (err) {
    if (!(err instanceof Error) || !('code' in err) || !('details' in err)) throw err
    return { code: Number(err.code), details: String(err.details) }
  }
}

async function lookAt(client: CriClient, method: AnyMethod): Promise<RawOutcome> {
  const leave = new AbortController()
  const options = { timeoutMs: answerTimeoutMs, signal: leave.signal }
  const stream = client.stream(method, noMessage, options)
  await stream.opened
  const timer = setTimeout(() => {
    leave.abort()
  }, streamPatienceMs)
  try {
    await stream[Symbol.asyncIterator]().next()
  } catch (err) {
    if (!leave.signal.aborted) throw err
  } finally {
    clearTimeout(timer)
    leave.abort()
  }
  return endedWell
}

const endedWell: RawOutcome = { code: grpcCode.ok, details: '' }
/** What is sent is in the closure of the method: there is no message. */
const noMessage = undefined as never
