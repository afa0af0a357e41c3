import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { messageOf } from '#base/errors'
import type { Log } from '#base/log'
import { createFrameWriter } from './frame-writer.ts'
import {
  defaultWindowBytes,
  encodeControl,
  frameType,
  goAwayStatus,
  initialWindowSetting,
  maxWindowBytes,
  protocolError,
} from './frames.ts'
import { createHeaderDecoder } from './header-blocks.ts'
import { spdyLimits } from './limits.ts'
import { createFrameParser } from './parser.ts'
import { handleFrame, type Receiver } from './receive-frames.ts'
import { createSendWindows } from './send-windows.ts'
import type { SpdyStream } from './stream.ts'

export interface SpdyConnectionInput {
  /** A socket, or anything else that carries bytes both ways; owned by the connection. */
  readonly transport: Duplex
  readonly log: Log
  /** A stream that the client opens; a text is the reason why it is refused. */
  readonly onStream: (stream: SpdyStream) => string | undefined
}

/** The server's end of a SPDY/3.1 connection. */
export interface SpdyConnection {
  /** Aborted when the client is gone, for whatever reason. */
  readonly gone: AbortSignal
  /** Says good-bye after what is written; what still comes is dropped. Settles when the transport is closed. */
  finish(): Promise<void>
}

export function openSpdyConnection({ transport, log, onStream }: SpdyConnectionInput): SpdyConnection {
  const gone = new AbortController()
  const windows = createSendWindows()
  const writer = createFrameWriter(transport, windows)
  const headerDecoder = createHeaderDecoder()
  const closed = new Promise<void>(resolve => {
    transport.once('close', resolve)
  }).then(() => {
    writer.close()
    headerDecoder.close()
    gone.abort()
    for (const stream of [...receiver.streams.values()]) stream.receiveReset()
  })
  const receiver: Receiver = {
    ...{ writer, windows, headerDecoder, onStream, log },
    streams: new Map(),
    lastStreamId: 0,
    isFinishing: false,
    hasReplied: false,
  }
  const sayGoodBye = (status: number) => {
    writer.control(encodeControl(frameType.goAway, [receiver.lastStreamId, status]))
    transport.end()
  }
  transport.on('error', err => {
    log.debug({ err: messageOf(err) }, 'streaming connection failed')
  })
  announceWindows()
  void receiveFrames(transport, receiver)
    .catch((err: unknown) => {
      log.debug({ err: messageOf(err) }, 'streaming connection ends')
      if (!transport.destroyed) sayGoodBye(goAwayStatus.protocolError)
    })
    .then(() => transport.destroy())

  /** For peers that have flow control: it is TCP that stops them. */
  function announceWindows(): void {
    writer.control(encodeControl(frameType.settings, [1, initialWindowSetting, maxWindowBytes]))
    writer.control(encodeControl(frameType.windowUpdate, [0, maxWindowBytes - defaultWindowBytes]))
  }
  return {
    gone: gone.signal,
    async finish() {
      receiver.isFinishing = true
      for (const stream of [...receiver.streams.values()]) stream.abandon()
      sayGoodBye(goAwayStatus.ok)
      await Promise.race([closed, once(transport, 'finish').catch(() => undefined)])
      // Closing a socket with unread bytes would take back what was sent: the client closes first.
      const linger = setTimeout(() => transport.destroy(), spdyLimits.lingerMs)
      await closed
      clearTimeout(linger)
    },
  }
}

async function receiveFrames(transport: Duplex, receiver: Receiver): Promise<void> {
  const parser = createFrameParser()
  // Not destroyed with the iteration: what was written last may still be on its way.
  for await (const chunk of transport.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) throw protocolError('the transport carries something else than bytes')
    for (const frame of receiver.isFinishing ? [] : parser.push(chunk)) await handleFrame(receiver, frame)
    await receiver.writer.repliesTaken()
  }
}
