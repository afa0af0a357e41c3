import { RuntimeError } from '#base/errors'
import { createDeferred, type Deferred } from './deferred.ts'
import type { FrameConnection } from './frame-connection.ts'
import { type Frame, fieldData, fieldNumber, frameTypes, type OutgoingFrame, tags } from './protocol.ts'
import type { AttachSession, OutputChunk } from './shim.ts'
import { errorOf } from './shim-requests.ts'

/** Bytes of one INPUT frame (shim/PROTOCOL.md). */
const inputBytes = 64 * 1024
/** Output received and not yet taken; with more, the connection is not read. */
const outputQueueBytes = 256 * 1024

/** The part of an EXEC or ATTACH after it was accepted; takes the connection over. */
export interface Session extends AttachSession {
  send(frame: OutgoingFrame): void
}

export function createSession(connection: FrameConnection, name: string): Session {
  const output = createOutput()
  const exited = createDeferred<{ exitCode: number; signal: number }>()
  exited.promise.catch(() => undefined)
  const input = createInput(connection, name)

  async function follow(): Promise<void> {
    for (let frame = await connection.receive(); frame; frame = await connection.receive()) {
      if (frame.type === frameTypes.output) await output.add(chunkOf(frame))
      else if (frame.type === frameTypes.ok) input.accepted()
      else if (frame.type === frameTypes.error) throw errorOf(frame, 'unavailable')
      else if (frame.type === frameTypes.exited) {
        const exitCode = fieldNumber(frame, tags.exitCode, 0)
        exited.resolve({ exitCode, signal: fieldNumber(frame, tags.signal, 0) })
        return
      }
    }
    throw new RuntimeError('unavailable', `${name}: the shim closed the connection`)
  }

  void follow()
    .catch((err: unknown) => {
      exited.reject(err)
    })
    .finally(() => {
      output.end()
      input.end()
      connection.close()
    })

  const send = (frame: OutgoingFrame): void => {
    connection.send(frame).catch(() => undefined) // that the session is over, `exited` tells
  }
  return {
    output: output.chunks,
    exited: exited.promise,
    write: data => input.write(data),
    endInput() {
      void input.idle().then(() => {
        send({ id: 0, type: frameTypes.inputEnd, fields: [] })
      })
    },
    resize(rows, columns) {
      const fields = [
        [tags.rows, rows],
        [tags.columns, columns],
      ] as const
      send({ id: 0, type: frameTypes.resize, fields })
    },
    send,
    close() {
      output.end()
      connection.close()
    },
  }
}

function chunkOf(frame: Frame): OutputChunk {
  const stream = fieldNumber(frame, tags.stream, 1) === 2 ? 'stderr' : 'stdout'
  return { stream, data: fieldData(frame, tags.data) ?? Buffer.alloc(0) }
}

interface Output {
  readonly chunks: AsyncIterable<OutputChunk>
  /** Resolves when there is room for more. */
  add(chunk: OutputChunk): Promise<void>
  end(): void
}

function createOutput(): Output {
  const queue: OutputChunk[] = []
  let queuedBytes = 0
  let isEnded = false
  let onChange = createDeferred<undefined>()
  const changed = (): void => {
    onChange.resolve(undefined)
    onChange = createDeferred()
  }
  async function* chunks(): AsyncGenerator<OutputChunk, void> {
    for (;;) {
      const chunk = queue.shift()
      if (chunk) {
        queuedBytes -= chunk.data.length
        changed()
        yield chunk
      } else if (isEnded) return
      else await onChange.promise
    }
  }
  return {
    chunks: { [Symbol.asyncIterator]: chunks },
    async add(chunk) {
      queue.push(chunk)
      queuedBytes += chunk.data.length
      changed()
      while (queuedBytes > outputQueueBytes && !isEnded) await onChange.promise
    },
    end() {
      isEnded = true
      changed()
    },
  }
}

interface Input {
  write(data: Uint8Array): Promise<void>
  /** The shim has taken the piece that was sent last. */
  accepted(): void
  /** Resolves when nothing is being written. */
  idle(): Promise<void>
  end(): void
}

/** Sends one piece after the other, each when the one before was taken, so that other frames never queue behind. */
function createInput(connection: FrameConnection, name: string): Input {
  let tail: Promise<unknown> = Promise.resolve()
  let piece: Deferred<undefined> | undefined
  let isEnded = false
  const over = (): RuntimeError => new RuntimeError('unavailable', `${name} is over: nobody takes its input`)

  async function writePieces(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += inputBytes) {
      if (isEnded) throw over()
      piece = createDeferred()
      const taken = piece.promise
      const fields = [[tags.data, data.subarray(at, at + inputBytes)]] as const
      await Promise.all([connection.send({ id: 0, type: frameTypes.input, fields }), taken])
    }
  }

  return {
    write(data) {
      const written = tail.then(() => writePieces(data))
      tail = written.catch(() => undefined)
      return written
    },
    accepted() {
      piece?.resolve(undefined)
      piece = undefined
    },
    async idle() {
      await tail
    },
    end() {
      isEnded = true
      piece?.reject(over())
      piece = undefined
    },
  }
}
