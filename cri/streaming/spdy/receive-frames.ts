import type { Log } from '#base/log'
import type { FrameWriter } from './frame-writer.ts'
import { encodeControl, type Frame, flag, frameType, protocolError, resetStatus } from './frames.ts'
import { emptyHeaderBlock, type HeaderDecoder } from './header-blocks.ts'
import { spdyLimits } from './limits.ts'
import type { SendWindows } from './send-windows.ts'
import { type OpenStream, openSpdyStream, type SpdyStream } from './stream.ts'

/** What the receiving half of a connection knows. */
export interface Receiver {
  readonly writer: FrameWriter
  readonly windows: SendWindows
  readonly headerDecoder: HeaderDecoder
  readonly onStream: (stream: SpdyStream) => string | undefined
  readonly log: Log
  readonly streams: Map<number, OpenStream>
  lastStreamId: number
  /** Nothing that comes is of interest any more. */
  isFinishing: boolean
  hasReplied: boolean
}

type FrameOf<Type extends Frame['type']> = Extract<Frame, { readonly type: Type }>

/** Frames must be handled one after the other. Errors: `invalid-argument`; the connection has to end then. */
export function handleFrame(receiver: Receiver, frame: Frame): Promise<void> | undefined {
  const { streams, windows, writer } = receiver
  if (receiver.isFinishing) return
  switch (frame.type) {
    case 'data':
      return onData(receiver, frame)
    case 'syn-stream':
      return onSynStream(receiver, frame)
    case 'headers':
    case 'syn-reply':
      return onHeaders(receiver, frame)
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

async function onSynStream(receiver: Receiver, frame: FrameOf<'syn-stream'>): Promise<void> {
  const { streams, windows, writer, log } = receiver
  // First of all: the blocks of a connection make sense only one after the other.
  const headers = await receiver.headerDecoder.decode(frame.block)
  const { streamId: id } = frame
  if (id % 2 === 0 || id <= receiver.lastStreamId) throw protocolError(`stream ${id} cannot be opened now`)
  receiver.lastStreamId = id
  if (streams.size >= spdyLimits.streams) {
    reset(receiver, id, resetStatus.refusedStream)
    return
  }
  const forget = () => {
    streams.delete(id)
    windows.close(id)
  }
  const stream = openSpdyStream({ id, headers, writer, onClosed: forget })
  const refusal = receiver.onStream(stream)
  if (refusal !== undefined) {
    log.debug({ streamId: id, refusal }, 'stream refused')
    reset(receiver, id, resetStatus.refusedStream)
    return
  }
  streams.set(id, stream)
  windows.open(id)
  writer.control(encodeControl(frameType.synReply, [id], { bytes: emptyHeaderBlock(!receiver.hasReplied) }))
  receiver.hasReplied = true
  if (frame.flags & flag.fin) stream.receiveEnd()
}

async function onHeaders(receiver: Receiver, frame: FrameOf<'headers' | 'syn-reply'>): Promise<void> {
  await receiver.headerDecoder.decode(frame.block)
  const stream = receiver.streams.get(frame.streamId)
  if (stream?.isReceiving() && frame.flags & flag.fin) stream.receiveEnd()
}

async function onData(receiver: Receiver, { streamId, data, isLast }: FrameOf<'data'>): Promise<void> {
  if (streamId > receiver.lastStreamId) {
    reset(receiver, streamId, resetStatus.invalidStream)
    return
  }
  const stream = receiver.streams.get(streamId)
  if (stream?.isReceiving()) {
    if (data.length > 0) await probing(receiver, stream.receive(data))
    if (isLast && stream.isReceiving()) stream.receiveEnd()
  }
  acknowledge(receiver, streamId, data.length)
}

/** Opens the windows of a peer that has some; ours are so large that only long transfers come to their ends. */
function acknowledge({ windows, writer }: Receiver, streamId: number, length: number): void {
  if (!windows.areUsed() || length === 0) return
  writer.control(encodeControl(frameType.windowUpdate, [streamId, length]))
  writer.control(encodeControl(frameType.windowUpdate, [0, length]))
}

/** While a reader is slow nothing is received, not even the end of the client: writing is what finds that out. */
async function probing({ writer }: Receiver, taken: Promise<void> | undefined): Promise<void> {
  if (!taken) return
  const probe = setInterval(() => {
    writer.control(encodeControl(frameType.ping, [2]))
  }, spdyLimits.probeMs)
  try {
    await taken
  } finally {
    clearInterval(probe)
  }
}

function reset({ writer }: Receiver, streamId: number, status: number): void {
  writer.control(encodeControl(frameType.rstStream, [streamId, status]))
}
