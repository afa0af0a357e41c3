import { type Frame, frameHeaderBytes, frameType, initialWindowSetting, protocolError } from './frames.ts'
import { spdyLimits } from './limits.ts'

export interface FrameParser {
  /**
   * The frames, and pieces of data frames, that are complete with this chunk. Keeps less than one control frame.
   * Errors: `invalid-argument`; nothing that comes after can be understood then.
   */
  push(chunk: Buffer): Generator<Frame, void, void>
}

type Body =
  | { readonly kind: 'data'; readonly streamId: number; readonly isLast: boolean; missing: number }
  | {
      readonly kind: 'control'
      readonly type: number
      readonly flags: number
      readonly payload: Buffer
      filled: number
    }

export function createFrameParser(): FrameParser {
  const head = Buffer.alloc(frameHeaderBytes)
  let headFilled = 0
  let body: Body | undefined
  return {
    *push(chunk) {
      let at = 0
      while (at < chunk.length || (body && isComplete(body))) {
        if (!body) {
          const copied = chunk.copy(head, headFilled, at)
          headFilled += copied
          at += copied
          if (headFilled < frameHeaderBytes) return
          headFilled = 0
          body = parseHead(head)
        } else if (body.kind === 'data') {
          const data = chunk.subarray(at, at + body.missing)
          at += data.length
          body.missing -= data.length
          yield dataPiece(body, data)
          if (body.missing === 0) body = undefined
        } else {
          const copied = chunk.copy(body.payload, body.filled, at)
          at += copied
          body.filled += copied
          if (!isComplete(body)) return
          const frame = parseControl(body)
          body = undefined
          if (frame) yield frame
        }
      }
    },
  }
}

function isComplete(body: Body): boolean {
  return body.kind === 'data' ? body.missing === 0 : body.filled === body.payload.length
}

function dataPiece(body: Extract<Body, { kind: 'data' }>, data: Buffer): Frame {
  return { type: 'data', streamId: body.streamId, data, isLast: body.isLast && body.missing === 0 }
}

function parseHead(head: Buffer): Body {
  const first = head.readUInt32BE(0)
  const flags = head.readUInt8(4)
  const length = head.readUIntBE(5, 3)
  if (first < 0x80000000)
    return { kind: 'data', streamId: streamIdOf(first), isLast: (flags & 1) === 1, missing: length }
  const version = (first >>> 16) & 0x7fff
  if (version !== 3) throw protocolError(`a frame of version ${version}, not 3`)
  const type = first & 0xffff
  if (length > spdyLimits.controlFrameBytes) {
    throw protocolError(`a control frame of ${length} bytes, more than ${spdyLimits.controlFrameBytes}`)
  }
  return { kind: 'control', type, flags, payload: Buffer.allocUnsafe(length), filled: 0 }
}

/** Undefined for types that are not known: they are to be ignored. */
function parseControl({ type, flags, payload }: Extract<Body, { kind: 'control' }>): Frame | undefined {
  const word = (index: number): number => {
    if (payload.length < 4 * index + 4) throw protocolError(`a control frame of type ${type} is too short`)
    return payload.readUInt32BE(4 * index)
  }
  const streamId = () => streamIdOf(word(0) & 0x7fffffff)
  switch (type) {
    case frameType.synStream:
      word(1)
      if (payload.length < 10) throw protocolError('SYN_STREAM is too short')
      return { type: 'syn-stream', streamId: streamId(), flags, block: payload.subarray(10) }
    case frameType.synReply:
      return { type: 'syn-reply', streamId: streamId(), flags, block: payload.subarray(4) }
    case frameType.headers:
      return { type: 'headers', streamId: streamId(), flags, block: payload.subarray(4) }
    case frameType.rstStream:
      return { type: 'rst-stream', streamId: streamId(), status: word(1) }
    case frameType.settings:
      return { type: 'settings', initialWindowBytes: parseSettings(word, payload.length) }
    case frameType.ping:
      return { type: 'ping', id: word(0) }
    case frameType.goAway:
      return { type: 'go-away' }
    case frameType.windowUpdate:
      return { type: 'window-update', streamId: word(0) & 0x7fffffff, deltaBytes: word(1) & 0x7fffffff }
    default:
      return undefined
  }
}

function parseSettings(word: (index: number) => number, length: number): number | undefined {
  const count = word(0)
  if (count > spdyLimits.settings || length !== 4 + 8 * count) {
    throw protocolError(`SETTINGS of ${length} bytes with ${count} entries`)
  }
  let initialWindowBytes: number | undefined
  for (let index = 0; index < count; index++) {
    const id = word(1 + 2 * index) & 0xffffff
    if (id === initialWindowSetting) initialWindowBytes = word(2 + 2 * index)
  }
  return initialWindowBytes
}

function streamIdOf(value: number): number {
  if (value === 0) throw protocolError('a frame of stream 0')
  return value
}
