import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { abortError, type Ctx, throwIfAborted } from '#base/context'
import { errnoOf, messageOf, RuntimeError, withContext } from '#base/errors'
import { createFrameDecoder, encodeFrame, type Frame, type OutgoingFrame } from './protocol.ts'

/** Frames received and not yet taken may hold this many bytes (and one read more) before reading stops. */
const receiveQueueBytes = 256 * 1024

/** The peer's queue of connections may be full for a moment: a unix socket does not wait for room. */
const backlogWait = { attempts: 100, pauseMs: 10 } as const

/** Frames over a stream socket. Whoever makes it closes it. */
export interface FrameConnection {
  /**
   * Resolves when the kernel took the bytes. Errors: `unavailable` when the connection is gone,
   * `invalid-argument` for a frame that cannot be encoded.
   */
  send(frame: OutgoingFrame): Promise<void>
  /**
   * The next frame; undefined once the connection ended cleanly or was closed here. Not receiving stops reading,
   * so the peer waits. Errors: `unavailable` if the connection broke, `data-loss` if the peer broke the protocol.
   * One caller at a time.
   */
  receive(): Promise<Frame | undefined>
  /** Idempotent; pending sends fail, a pending receive answers undefined. */
  close(): void
}

/**
 * Connects to a unix socket. Errors: `not-found` when nothing listens there, `unavailable` for other failures,
 * `cancelled` or `deadline-exceeded` when the caller gives up.
 */
export async function connectFrames(ctx: Ctx, socketPath: string): Promise<FrameConnection> {
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(ctx)
    try {
      return createFrameConnection(await connectSocket(ctx, socketPath), socketPath)
    } catch (err) {
      if (errnoOf(err) !== 'EAGAIN' || attempt === backlogWait.attempts) {
        throw ctx.signal.aborted ? abortError(ctx.signal) : connectError(socketPath, err)
      }
      await delay(backlogWait.pauseMs)
    }
  }
}

async function connectSocket(ctx: Ctx, socketPath: string): Promise<Socket> {
  const socket = createConnection({ path: socketPath })
  const onAbort = (): void => {
    socket.destroy(abortError(ctx.signal))
  }
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  try {
    await once(socket, 'connect')
    return socket
  } finally {
    ctx.signal.removeEventListener('abort', onAbort)
  }
}

function connectError(socketPath: string, err: unknown): RuntimeError {
  const isAbsent = errnoOf(err) === 'ENOENT' || errnoOf(err) === 'ECONNREFUSED'
  const message = `cannot connect to ${socketPath}: ${errnoOf(err) ?? messageOf(err)}`
  return new RuntimeError(isAbsent ? 'not-found' : 'unavailable', message, { cause: err })
}

/** Takes over a connected socket; `name` says in errors who the peer is. */
export function createFrameConnection(socket: Socket, name: string): FrameConnection {
  const inbox = createInbox(socket)
  const decoder = createFrameDecoder()
  socket.on('data', (chunk: Buffer) => {
    try {
      inbox.add(decoder.push(chunk), chunk.length)
    } catch (err) {
      inbox.end(withContext(name, err))
      socket.destroy()
    }
  })
  socket.on('error', err => {
    inbox.end(new RuntimeError('unavailable', `${name}: ${errnoOf(err) ?? messageOf(err)}`, { cause: err }))
  })
  socket.on('close', () => {
    const isCut = decoder.isInsideFrame()
    inbox.end(isCut ? new RuntimeError('unavailable', `${name} went away inside a frame`) : undefined)
  })
  return {
    send: frame => send(socket, name, encodeFrame(frame)),
    receive: () => inbox.take(),
    close() {
      inbox.end(undefined)
      socket.destroy()
    },
  }
}

async function send(socket: Socket, name: string, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.write(bytes, err => {
      if (!err) resolve()
      else reject(new RuntimeError('unavailable', `${name} is gone: ${messageOf(err)}`, { cause: err }))
    })
  })
}

interface Inbox {
  add(frames: readonly Frame[], bytes: number): void
  /** No more frames will come; the first call counts. */
  end(reason: RuntimeError | undefined): void
  take(): Promise<Frame | undefined>
}

function createInbox(socket: Socket): Inbox {
  let frames: Frame[] = []
  let queuedBytes = 0
  let end: { readonly reason: RuntimeError | undefined } | undefined
  let waiting: (() => void) | undefined
  const wake = () => {
    waiting?.()
    waiting = undefined
  }
  return {
    add(more, bytes) {
      frames = frames.length > 0 ? frames.concat(more) : [...more]
      queuedBytes += bytes
      if (queuedBytes > receiveQueueBytes && frames.length > 0) socket.pause()
      wake()
    },
    end(reason) {
      end ??= { reason }
      wake()
    },
    async take() {
      while (frames.length === 0) {
        queuedBytes = 0
        if (end?.reason) throw end.reason
        if (end) return undefined
        socket.resume()
        await new Promise<void>(resolve => {
          waiting = resolve
        })
      }
      return frames.shift()
    },
  }
}
