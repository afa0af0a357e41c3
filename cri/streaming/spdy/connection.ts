import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { messageOf } from '#base/errors'
import type { Log } from '#base/log'
import { createFrameWriter } from './frame-writer.ts'
import {
  defaultWindowBytes,
  encodeControl,
  type Frame,
  flag,
  frameType,
  goAwayStatus,
  initialWindowSetting,
  maxWindowBytes,
  protocolError,
  resetStatus,
} from './frames.ts'
import { createHeaderDecoder, emptyHeaderBlock } from './header-blocks.ts'
import { spdyLimits } from './limits.ts'
import { createFrameParser } from './parser.ts'
import { createSendWindows } from './send-windows.ts'
import { type OpenStream, openSpdyStream, type SpdyStream } from './stream.ts'

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
  const streams = new Map<number, OpenStream>()
  const state = { lastStreamId: 0, isFinishing: false, isFirstReply: true, unacknowledged: 0 }

  async function receive(): Promise<void> {
    const parser = createFrameParser()
    // Not destroyed with the iteration: what was written last may still be on its way.
    for await (const chunk of transport.iterator({ destroyOnReturn: false })) {
      for (const frame of state.isFinishing ? [] : parser.push(asBuffer(chunk))) await handle(frame)
      await writer.repliesTaken()
    }
  }

  function handle(frame: Frame): Promise<void> | undefined {
    if (state.isFinishing) return
    switch (frame.type) {
      case 'data':
        return onData(frame)
      case 'syn-stream':
        return onSynStream(frame)
      case 'headers':
      case 'syn-reply':
        return onHeaders(frame)
      case 'rst-stream':
        streams.get(frame.streamId)?.receiveReset()
        return
      case 'settings':
        if (frame.initialWindowBytes !== undefined) windows.setInitial(frame.initialWindowBytes)
        writer.wake()
        return
      case 'window-update':
        windows.update(frame.streamId, frame.deltaBytes)
        writer.wake()
        return
      case 'ping':
        // Odd ones are the client's; the others answer our probes.
        if (frame.id % 2 === 1) writer.control(encodeControl(frameType.ping, [frame.id]))
        return
      case 'go-away':
        return
    }
  }

  async function onSynStream(frame: Extract<Frame, { type: 'syn-stream' }>): Promise<void> {
    // First of all: the blocks of a connection make sense only one after the other.
    const headers = await headerDecoder.decode(frame.block)
    const { streamId: id } = frame
    if (id % 2 === 0 || id <= state.lastStreamId) throw protocolError(`stream ${id} cannot be opened now`)
    state.lastStreamId = id
    if (streams.size >= spdyLimits.streams) return reset(id, resetStatus.refusedStream)
    windows.open(id)
    const stream = openSpdyStream({
      id,
      headers,
      writer,
      onClosed: () => {
        streams.delete(id)
        windows.close(id)
      },
    })
    const refusal = onStream(stream)
    if (refusal !== undefined) {
      log.debug({ streamId: id, refusal }, 'stream refused')
      windows.close(id)
      return reset(id, resetStatus.refusedStream)
    }
    streams.set(id, stream)
    const bytes = emptyHeaderBlock(state.isFirstReply)
    state.isFirstReply = false
    writer.control(encodeControl(frameType.synReply, [id], { bytes }))
    if (frame.flags & flag.fin) stream.receiveEnd()
  }

  async function onHeaders(frame: Extract<Frame, { type: 'headers' | 'syn-reply' }>): Promise<void> {
    await headerDecoder.decode(frame.block)
    const stream = streams.get(frame.streamId)
    if (stream?.isReceiving() && frame.flags & flag.fin) stream.receiveEnd()
  }

  async function onData({ streamId, data, isLast }: Extract<Frame, { type: 'data' }>): Promise<void> {
    if (streamId > state.lastStreamId) {
      reset(streamId, resetStatus.invalidStream)
      return
    }
    const stream = streams.get(streamId)
    if (stream?.isReceiving()) {
      if (data.length > 0) await unlessGone(stream.receive(data))
      if (isLast && stream.isReceiving()) stream.receiveEnd()
    }
    acknowledge(streamId, data.length)
  }

  /** Opens the windows of a peer that has some; ours are so large that only long transfers come to their ends. */
  function acknowledge(streamId: number, length: number): void {
    if (!windows.areUsed() || length === 0) return
    writer.control(encodeControl(frameType.windowUpdate, [streamId, length]))
    writer.control(encodeControl(frameType.windowUpdate, [0, length]))
  }

  /** While a reader is slow nothing is received, not even the end of the client: writing is what finds that out. */
  async function unlessGone(taken: Promise<void> | undefined): Promise<void> {
    if (!taken) return
    const probe = setInterval(() => {
      writer.control(encodeControl(frameType.ping, [2]))
    }, spdyLimits.probeMs)
    try {
      await Promise.race([taken, closed])
    } finally {
      clearInterval(probe)
    }
  }

  function reset(streamId: number, status: number): void {
    writer.control(encodeControl(frameType.rstStream, [streamId, status]))
  }

  function sayGoodBye(status: number): void {
    writer.control(encodeControl(frameType.goAway, [state.lastStreamId, status]))
    transport.end()
  }

  const closed = new Promise<void>(resolve => {
    transport.once('close', resolve)
  }).then(() => {
    writer.close()
    headerDecoder.close()
    gone.abort()
    for (const stream of [...streams.values()]) stream.receiveReset()
  })
  transport.on('error', err => {
    log.debug({ err: messageOf(err) }, 'streaming connection failed')
  })
  writer.control(encodeControl(frameType.settings, [1, initialWindowSetting, maxWindowBytes]))
  writer.control(encodeControl(frameType.windowUpdate, [0, maxWindowBytes - defaultWindowBytes]))
  void receive()
    .catch((err: unknown) => {
      log.debug({ err: messageOf(err) }, 'streaming connection ends')
      if (!transport.destroyed) sayGoodBye(goAwayStatus.protocolError)
    })
    .then(() => transport.destroy())
  return {
    gone: gone.signal,
    async finish() {
      state.isFinishing = true
      for (const stream of [...streams.values()]) stream.abandon()
      sayGoodBye(goAwayStatus.ok)
      await Promise.race([closed, once(transport, 'finish').catch(() => undefined)])
      const linger = setTimeout(() => transport.destroy(), spdyLimits.lingerMs)
      await closed
      clearTimeout(linger)
    },
  }
}

function asBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk
  throw protocolError('the transport carries something else than bytes')
}
