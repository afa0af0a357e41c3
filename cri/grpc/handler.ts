import { abortError, type Ctx, throwIfAborted } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import { EncodedMessage } from './encoded-message.ts'
import type { AnyMethod, Received, Sent } from './methods.ts'
import { redacted } from './redact.ts'
import { type GrpcCode, grpcCode, type RpcStatus, toStatus } from './status.ts'

/** What one RPC does: the request as it came in, the answer as it goes out. */
export type Handler<M extends AnyMethod> = (
  ctx: Ctx,
  request: Received<M['request']>,
) => Promise<Reply<M>> | Reply<M>

export type Reply<M extends AnyMethod> = Sent<M['response']> | EncodedMessage

export type Outcome = { readonly reply: Uint8Array } | { readonly failure: RpcStatus }

/**
 * What one RPC with a stream of answers does: the messages in order; the end of the iteration is the end of the
 * stream. Begins when it is called; must end when ctx is aborted.
 */
export type StreamHandler<M extends AnyMethod> = (
  ctx: Ctx,
  request: Received<M['request']>,
) => AsyncIterable<Reply<M>> | Iterable<Reply<M>>

/** One RPC in bytes: all that the transport knows of it. */
export type WireMethod = UnaryMethod | StreamMethod

export interface UnaryMethod {
  readonly kind: 'unary'
  readonly path: string
  readonly name: string
  /** Never rejects. */
  readonly call: (signal: AbortSignal, request: Uint8Array) => Promise<Outcome>
}

export interface StreamMethod {
  readonly kind: 'stream'
  readonly path: string
  readonly name: string
  /** Never rejects; undefined: ended well. */
  readonly run: (signal: AbortSignal, request: Uint8Array, sink: Sink) => Promise<RpcStatus | undefined>
}

/** Where the messages of a stream go. */
export interface Sink {
  /** The request was taken: messages follow, or the end. */
  open(): void
  /** Resolves when the next message may come. Rejects when the call is gone. */
  send(message: Uint8Array): Promise<void>
}

/** What every RPC goes through. */
export interface Gate {
  readonly log: Log
  /** While false, every RPC is answered UNAVAILABLE. */
  readonly isReady: () => boolean
  readonly observer?: RpcObserver | undefined
}

/** Hears of every RPC; for metrics. Its functions return at once and never throw. */
export interface RpcObserver {
  began(method: RpcKind): void
  ended(rpc: RpcKind & { readonly code: GrpcCode; readonly ms: number }): void
}

export interface RpcKind {
  readonly name: string
  readonly isServerStream: boolean
}

/** Wraps a handler: gate, decoding, log, errors to statuses. */
export function served<M extends AnyMethod>(gate: Gate, method: M, handler: Handler<M>): UnaryMethod {
  const { name, path } = method
  return {
    kind: 'unary',
    path,
    name,
    async call(signal, bytes) {
      const rpc = beginRpc(gate, method, signal)
      try {
        const request = takeRequest(rpc, method, bytes)
        const reply = encodeReply(method, await handler(rpc.ctx, request))
        rpc.ctx.log.debug({ ms: rpc.ms() }, 'rpc done')
        rpc.end(grpcCode.ok)
        return { reply }
      } catch (err) {
        return { failure: failureOf(rpc, err) }
      }
    },
  }
}

/** Wraps the handler of a stream in the same way. One message is made when the transport has taken the one before. */
export function streamed<M extends AnyMethod>(
  gate: Gate,
  method: M,
  handler: StreamHandler<M>,
): StreamMethod {
  const { name, path } = method
  return {
    kind: 'stream',
    path,
    name,
    async run(signal, bytes, sink) {
      const rpc = beginRpc(gate, method, signal)
      let messages = 0
      try {
        const replies = handler(rpc.ctx, takeRequest(rpc, method, bytes))
        sink.open()
        for await (const reply of replies) {
          await sink.send(encodeReply(method, reply))
          messages++
        }
        throwIfAborted(rpc.ctx)
        rpc.ctx.log.debug({ ms: rpc.ms(), messages }, 'rpc done')
        rpc.end(grpcCode.ok)
        return undefined
      } catch (err) {
        if (!signal.aborted) return failureOf(rpc, err)
        // Leaving is how a reader of an endless stream ends it.
        rpc.ctx.log.debug({ ms: rpc.ms(), messages }, 'rpc was left')
        const left = toStatus(abortError(signal))
        rpc.end(left.code)
        return left
      }
    },
  }
}

/** One call under way. */
interface Rpc {
  readonly ctx: Ctx
  readonly gate: Gate
  /** Since it came. */
  readonly ms: () => number
  /** Tells the observer, if there is one. */
  readonly end: (code: GrpcCode) => void
}

function beginRpc(gate: Gate, method: AnyMethod, signal: AbortSignal): Rpc {
  const startedMs = performance.now()
  const { name, isServerStream } = method
  gate.observer?.began({ name, isServerStream })
  return {
    ctx: { signal, log: gate.log.child({ rpc: name }) },
    gate,
    ms: () => Math.round(performance.now() - startedMs),
    end(code) {
      gate.observer?.ended({ name, isServerStream, code, ms: performance.now() - startedMs })
    },
  }
}

function takeRequest<M extends AnyMethod>(
  { ctx, gate }: Rpc,
  method: M,
  bytes: Uint8Array,
): Received<M['request']> {
  if (!gate.isReady()) throw new RuntimeError('unavailable', 'lighterd is starting: try again')
  const request = decodeRequest(method, bytes)
  ctx.log.debug({ request: redacted(request) }, 'rpc called')
  return request
}

function failureOf({ ctx, ms, end }: Rpc, err: unknown): RpcStatus {
  const failure = toStatus(err)
  end(failure.code)
  logFailure(ctx.log, { err, ms: ms(), failure })
  return failure
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
