import { constants } from 'node:os'
import { abortError, type Ctx, throwIfAborted } from '#base/context'
import { type ErrorKind, RuntimeError } from '#base/errors'
import { connectFrames, type FrameConnection } from './frame-connection.ts'
import { type Frame, fieldNumber, fieldText, frameTypes, type OutgoingFrame, tags } from './protocol.ts'

const { errno } = constants

const kindByErrno: ReadonlyMap<number, ErrorKind> = new Map<number, ErrorKind>([
  [errno.ESRCH, 'failed-precondition'],
  [errno.ENOTTY, 'failed-precondition'],
  [errno.EAGAIN, 'unavailable'],
  [errno.EINVAL, 'invalid-argument'],
  [errno.ENOSYS, 'unimplemented'],
  [errno.ENOENT, 'failed-precondition'],
  [errno.ENOSPC, 'resource-exhausted'],
  [errno.EDQUOT, 'resource-exhausted'],
  [errno.ENOMEM, 'resource-exhausted'],
  [errno.ETIMEDOUT, 'deadline-exceeded'],
])

/** What an ERROR frame says; `fallback` is the kind when no system call is to blame. */
export function errorOf(frame: Frame, fallback: ErrorKind): RuntimeError {
  const code = fieldNumber(frame, tags.errno, 0)
  const kind = code === 0 ? fallback : (kindByErrno.get(code) ?? 'internal')
  return new RuntimeError(kind, fieldText(frame, tags.message))
}

/** True for the ERROR that says that the process is gone. */
export function saysGone(frame: Frame): boolean {
  return frame.type === frameTypes.error && fieldNumber(frame, tags.errno, 0) === errno.ESRCH
}

/** A connection that has sent its request, and the first answer to it. */
export interface Opened {
  readonly connection: FrameConnection
  readonly first: Frame
}

/**
 * Connects, asks, and waits for the first answer; the connection is closed on failure. Errors: `not-found` when
 * nothing listens there, `unavailable` when the shim goes away, those of an aborted context.
 */
export async function open(ctx: Ctx, socketPath: string, request: OutgoingFrame): Promise<Opened> {
  const connection = await connect(ctx, socketPath, request)
  const onAbort = (): void => {
    connection.close()
  }
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  try {
    const first = await connection.receive()
    throwIfAborted(ctx)
    if (!first) throw new RuntimeError('unavailable', `the shim at ${socketPath} went away without an answer`)
    return { connection, first }
  } catch (err) {
    connection.close()
    throw ctx.signal.aborted ? abortError(ctx.signal) : err
  } finally {
    ctx.signal.removeEventListener('abort', onAbort)
  }
}

/** Connects and sends the request. */
export async function connect(
  ctx: Ctx,
  socketPath: string,
  request: OutgoingFrame,
): Promise<FrameConnection> {
  const connection = await connectFrames(ctx, socketPath)
  try {
    await connection.send(request)
    return connection
  } catch (err) {
    connection.close()
    throw err
  }
}

/** A request with one answer. */
export async function ask(ctx: Ctx, socketPath: string, request: OutgoingFrame): Promise<Frame> {
  const { connection, first } = await open(ctx, socketPath, request)
  connection.close()
  return first
}
