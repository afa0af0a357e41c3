import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Ctx } from '#base/context'
import type { SessionOperations } from '#engine/model/session'
import { aborted } from '../aborted.ts'
import type { ForwardRequest } from '../request.ts'
import { openSpdyConnection } from '../spdy/connection.ts'
import type { SpdyStream } from '../spdy/stream.ts'
import { forwardConnection, parsePort } from './forward-connection.ts'

export interface SpdyForwardInput {
  readonly transport: Duplex
  readonly sessions: SessionOperations
  readonly request: ForwardRequest
  /** For the second stream of a pair. */
  readonly streamCreationTimeoutMs: number
}

interface Pair {
  readonly port: number
  error?: Duplex
  data?: Duplex
  late?: NodeJS.Timeout
}

/** Serves connections until the client closes, or ctx is aborted: each is a pair of an error and a data stream. */
export async function serveSpdyForward(ctx: Ctx, input: SpdyForwardInput): Promise<void> {
  const { transport, sessions, request, streamCreationTimeoutMs } = input
  const pairs = new Map<string, Pair>()
  const forwarding = new Set<Promise<void>>()
  const connection = openSpdyConnection({ transport, log: ctx.log, onStream })
  const signal = AbortSignal.any([ctx.signal, connection.gone])
  // Every forwarded connection listens.
  setMaxListeners(0, signal)

  function onStream(stream: SpdyStream): string | undefined {
    const port = parsePort(stream.headers.get('port') ?? '')
    const type = stream.headers.get('streamtype')
    if (port === undefined) return `port "${stream.headers.get('port') ?? ''}" is not a port`
    if (type !== 'error' && type !== 'data') return `streamType "${type ?? ''}" is neither error nor data`
    const id = requestIdOf(stream, type)
    const pair = pairs.get(id) ?? { port }
    if (pair.port !== port) return `request ${id} has two ports`
    if (pair[type]) return `request ${id} has its ${type} stream already`
    pair[type] = stream.channel
    if (pair.error && pair.data) {
      clearTimeout(pair.late)
      pairs.delete(id)
      start(pair.port, pair.error, pair.data)
    } else {
      pairs.set(id, pair)
      pair.late = setTimeout(() => {
        pairs.delete(id)
        pair.error?.end(`request ${id}: the other stream did not come in time`)
        pair.data?.destroy()
      }, streamCreationTimeoutMs)
    }
    return undefined
  }

  function start(port: number, error: Duplex, data: Duplex): void {
    // Nothing is expected there, and nobody must wait for it to be read.
    error.resume()
    const work = forwardConnection({ signal, log: ctx.log }, { sessions, request, port, data }).then(
      failure => {
        if (failure !== undefined) data.destroy()
        error.end(failure)
      },
    )
    forwarding.add(work)
    void work.finally(() => forwarding.delete(work))
  }

  await aborted(signal)
  for (const { late } of pairs.values()) clearTimeout(late)
  await Promise.all(forwarding)
  await connection.finish()
}

/** Old clients send no requestID; their pairs have consecutive stream ids, the error stream first. */
function requestIdOf({ id, headers }: SpdyStream, type: 'error' | 'data'): string {
  return headers.get('requestid') ?? String(type === 'error' ? id : id - 2)
}
