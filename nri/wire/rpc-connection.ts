import type { Duplex } from 'node:stream'
import { messageOf, RuntimeError } from '#base/errors'
import { createCaller } from './caller.ts'
import { createMuxReader, encodePieces, muxConnections } from './mux.ts'
import { createResponder, type ResponderDeps } from './responder.ts'
import { createFrameReader } from './ttrpc-frame.ts'

/** Bytes that the other side may leave unread. */
const unreadBytes = 16 * 1024 * 1024

/** Both directions of ttrpc over one socket. Whatever breaks the protocol ends the connection. */
export interface RpcConnection {
  /**
   * Errors: what the other side answers. A call without an answer after `timeoutMs` ends the connection and fails with
   * `deadline-exceeded`; one that is open when the connection ends fails with `unavailable`.
   */
  call(method: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>
  close(reason: RuntimeError): void
  /** Resolves with the reason when the connection has ended. */
  readonly closed: Promise<RuntimeError>
  isClosed(): boolean
}

export interface RpcOptions {
  /** Belongs to the connection from now on. */
  readonly socket: Duplex
  /** Service that the calls go to, and the mux connection on which they do. */
  readonly calls: { readonly service: string; readonly connection: number }
  /** Service that is offered to the other side, on the other mux connection. */
  readonly offers: Pick<ResponderDeps, 'service' | 'serve'>
}

export function createRpcConnection({ socket, calls, offers }: RpcOptions): RpcConnection {
  const served = muxConnections.plugin + muxConnections.runtime - calls.connection
  let reason: RuntimeError | undefined
  let tellClosed: (err: RuntimeError) => void = () => undefined
  const closed = new Promise<RuntimeError>(resolve => {
    tellClosed = resolve
  })

  function close(err: RuntimeError): void {
    if (reason) return
    reason = err
    socket.destroy()
    caller.end(err)
    tellClosed(err)
  }

  const sendOn = (connection: number) => (frame: Buffer) => {
    if (reason) return
    for (const piece of encodePieces(connection, frame)) socket.write(piece)
    if (socket.writableLength > unreadBytes) {
      close(new RuntimeError('resource-exhausted', `it leaves ${socket.writableLength} bytes unread`))
    }
  }

  const caller = createCaller({ service: calls.service, send: sendOn(calls.connection), onLate: close })
  const respond = createResponder({ ...offers, send: sendOn(served) })
  const onAnswerBytes = createFrameReader(frame => {
    caller.onFrame(frame)
  })
  const onRequestBytes = createFrameReader(frame => {
    respond(frame).catch((err: unknown) => {
      close(new RuntimeError('internal', `an answer cannot be sent: ${messageOf(err)}`))
    })
  })
  const onChunk = createMuxReader((connection, bytes) => {
    if (connection === calls.connection) onAnswerBytes(bytes)
    if (connection === served) onRequestBytes(bytes)
  })
  watch(socket, { onChunk, close })
  return {
    closed,
    close,
    isClosed: () => reason !== undefined,
    async call(method, payload, timeoutMs) {
      if (reason) throw new RuntimeError('unavailable', reason.message)
      return caller.call(method, payload, timeoutMs)
    },
  }
}

function watch(
  socket: Duplex,
  {
    onChunk,
    close,
  }: { readonly onChunk: (chunk: Buffer) => void; readonly close: (reason: RuntimeError) => void },
): void {
  const onClosed = (): void => {
    close(new RuntimeError('unavailable', 'the connection was closed'))
  }
  socket.on('data', (chunk: Buffer) => {
    if (socket.destroyed) return
    try {
      onChunk(chunk)
    } catch (err) {
      close(new RuntimeError('invalid-argument', `it does not speak ttrpc: ${messageOf(err)}`))
    }
  })
  socket.on('end', onClosed)
  socket.on('close', onClosed)
  socket.on('error', err => {
    close(new RuntimeError('unavailable', `the connection broke: ${err.message}`))
  })
}
