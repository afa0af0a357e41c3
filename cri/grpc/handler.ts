import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import { EncodedMessage } from './encoded-message.ts'
import type { AnyMethod, Received, Sent } from './methods.ts'
import { redacted } from './redact.ts'
import { type RpcStatus, toStatus } from './status.ts'

/** What one RPC does: the request as it came in, the answer as it goes out. */
export type Handler<M extends AnyMethod> = (
  ctx: Ctx,
  request: Received<M['request']>,
) => Promise<Reply<M>> | Reply<M>

export type Reply<M extends AnyMethod> = Sent<M['response']> | EncodedMessage

export type Outcome = { readonly reply: Uint8Array } | { readonly failure: RpcStatus }

/** One RPC in bytes: all that the transport knows of it. Never rejects. */
export interface WireMethod {
  readonly path: string
  readonly name: string
  readonly isServerStream: boolean
  readonly call: (signal: AbortSignal, request: Uint8Array) => Promise<Outcome>
}

/** What every RPC goes through. */
export interface Gate {
  readonly log: Log
  /** While false, every RPC is answered UNAVAILABLE. */
  readonly isReady: () => boolean
}

/** Wraps a handler: gate, decoding, log, errors to statuses. */
export function served<M extends AnyMethod>(gate: Gate, method: M, handler: Handler<M>): WireMethod {
  const { name, path, isServerStream } = method
  return {
    path,
    name,
    isServerStream,
    async call(signal, bytes) {
      const startedMs = performance.now()
      const ctx: Ctx = { signal, log: gate.log.child({ rpc: name }) }
      const ms = () => Math.round(performance.now() - startedMs)
      try {
        if (!gate.isReady()) throw new RuntimeError('unavailable', 'lighterd is starting: try again')
        const request = decodeRequest(method, bytes)
        ctx.log.debug({ request: redacted(request) }, 'rpc called')
        const reply = encodeReply(method, await handler(ctx, request))
        ctx.log.debug({ ms: ms() }, 'rpc done')
        return { reply }
      } catch (err) {
        const failure = toStatus(err)
        logFailure(ctx.log, { err, ms: ms(), failure })
        return { failure }
      }
    },
  }
}

/** An RPC that is registered and not built. */
export function unimplemented(gate: Gate, method: AnyMethod): WireMethod {
  return served(gate, method, () => {
    throw new RuntimeError('unimplemented', `${method.name} is not implemented`)
  })
}

function decodeRequest<M extends AnyMethod>(method: M, bytes: Uint8Array): Received<M['request']> {
  try {
    // The generated classes all have this form; TypeScript cannot follow it through the type parameter.
    return method.request.decode(bytes) as Received<M['request']>
  } catch (err) {
    throw new RuntimeError('invalid-argument', `the ${method.name} request is not a valid message`, {
      cause: err,
    })
  }
}

function encodeReply<M extends AnyMethod>(method: M, reply: Reply<M>): Uint8Array {
  return reply instanceof EncodedMessage ? reply.bytes : method.response.encode(reply).finish()
}

interface Failure {
  readonly err: unknown
  readonly ms: number
  readonly failure: RpcStatus
}

function logFailure(log: Log, { err, ms, failure }: Failure): void {
  if (!(err instanceof RuntimeError)) {
    log.error({ ms, err: err instanceof Error ? err.stack : String(err) }, 'rpc failed unexpectedly')
  } else if (isKind(err, 'internal') || isKind(err, 'data-loss')) {
    log.error({ ms, code: failure.code, err: failure.details }, 'rpc failed')
  } else if (isOrdinary(err)) {
    log.debug({ ms, code: failure.code, err: failure.details }, 'rpc refused')
  } else {
    log.warn({ ms, code: failure.code, err: failure.details }, 'rpc failed')
  }
}

/** Answers that clients ask for as a matter of course. */
function isOrdinary(err: RuntimeError): boolean {
  return err.kind === 'not-found' || err.kind === 'unavailable' || err.kind === 'unimplemented'
}
