import { Duplex } from 'node:stream'
import { RuntimeError } from '#base/errors'
import type { FrameWriter } from './frame-writer.ts'
import { encodeControl, frameType, resetStatus } from './frames.ts'
import type { Headers } from './header-blocks.ts'
import { spdyLimits } from './limits.ts'

/** A stream that the client opened. */
export interface SpdyStream {
  readonly id: number
  readonly headers: Headers
  /**
   * Reading ends when the client ends its half; ending it ends ours; destroying it resets the stream. A stream that
   * the client resets fails with `cancelled`.
   */
  readonly channel: Duplex
}

/** The connection's side of a stream. */
export interface OpenStream extends SpdyStream {
  /** Resolves when the piece is taken, which may wait for the reader, or the stream is over. */
  receive(data: Buffer): Promise<void> | undefined
  receiveEnd(): void
  receiveReset(): void
  isReceiving(): boolean
  /** Nothing is sent or received any more. */
  abandon(): void
}

interface StreamInput {
  readonly id: number
  readonly headers: Headers
  readonly writer: FrameWriter
  /** Both halves are over. */
  readonly onClosed: () => void
}

export function openSpdyStream({ id, headers, writer, onClosed }: StreamInput): OpenStream {
  let isReceiving = true
  let isSending = true
  let taken: () => void = () => undefined
  const closeIfOver = () => {
    if (!isReceiving && !isSending) onClosed()
  }
  const channel = new Duplex({
    readableHighWaterMark: spdyLimits.queuedBytes,
    read() {
      taken()
    },
    write(chunk: Buffer, _encoding, done) {
      writer.data(id, chunk).then(() => {
        done()
      }, done)
    },
    final(done) {
      isSending = false
      writer.last(id)
      closeIfOver()
      done()
    },
    destroy(err, done) {
      taken()
      if (isReceiving || isSending) {
        isReceiving = false
        isSending = false
        writer.control(encodeControl(frameType.rstStream, [id, resetStatus.cancel]))
        onClosed()
      }
      done(err)
    },
  })
  const over = (err?: RuntimeError) => {
    isReceiving = false
    isSending = false
    onClosed()
    channel.destroy(err)
  }
  // Who uses the channel hears of its errors; nobody has to.
  channel.on('error', () => undefined)
  return {
    id,
    headers,
    channel,
    receive(data) {
      if (channel.destroyed || channel.push(data)) return undefined
      return new Promise(resolve => {
        taken = resolve
      })
    },
    receiveEnd() {
      isReceiving = false
      channel.push(null)
      closeIfOver()
    },
    receiveReset() {
      over(new RuntimeError('cancelled', `the client has reset stream ${id}`))
    },
    abandon: over,
    isReceiving: () => isReceiving,
  }
}
