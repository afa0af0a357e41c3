import type { Duplex } from 'node:stream'
import { RuntimeError } from '#base/errors'
import { encodeDataHead, flag } from './frames.ts'
import { spdyLimits } from './limits.ts'
import type { SendWindows } from './send-windows.ts'

export interface FrameWriter {
  /** At once, without waiting. */
  control(frame: Buffer): void
  /** Resolves when there is room for more. Errors: `cancelled` when the connection is closed. */
  data(streamId: number, data: Buffer): Promise<void>
  /** The end of a stream's data. */
  last(streamId: number): void
  /** Settles when the peer has taken the replies that it caused. */
  repliesTaken(): Promise<void>
  /** Lets writers look again: a window was opened, or the connection is closed. */
  wake(): void
  /** Nothing can be sent any more. */
  close(): void
}

/** Frames of many streams onto one transport; not more than one data frame beyond what it takes waits in memory. */
export function createFrameWriter(transport: Duplex, windows: SendWindows): FrameWriter {
  let waiting: (() => void)[] = []
  let isClosed = false
  const wake = () => {
    const woken = waiting
    waiting = []
    for (const resume of woken) resume()
  }
  const wokenUp = () =>
    new Promise<void>(resolve => {
      waiting.push(resolve)
    })
  transport.on('drain', wake)
  const isOpen = () => !isClosed && transport.writable
  return {
    control(frame) {
      if (isOpen()) transport.write(frame)
    },
    async data(streamId, data) {
      let rest = data
      while (rest.length > 0) {
        if (!isOpen()) throw new RuntimeError('cancelled', 'the client is gone')
        const length = transport.writableNeedDrain
          ? 0
          : windows.take(streamId, Math.min(rest.length, spdyLimits.dataFrameBytes))
        if (length === 0) {
          await wokenUp()
          continue
        }
        transport.cork()
        transport.write(encodeDataHead(streamId, length, 0))
        transport.write(rest.subarray(0, length))
        transport.uncork()
        rest = rest.subarray(length)
      }
      while (isOpen() && transport.writableNeedDrain) await wokenUp()
    },
    last(streamId) {
      if (isOpen()) transport.write(encodeDataHead(streamId, 0, flag.fin))
    },
    async repliesTaken() {
      while (isOpen() && transport.writableLength > spdyLimits.unsentReplyBytes) await wokenUp()
    },
    wake,
    close() {
      isClosed = true
      wake()
    },
  }
}
