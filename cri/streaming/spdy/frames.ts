import { RuntimeError } from '#base/errors'

/** Numbers and forms of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, and draft 3.1 for the window of the session). */
export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const

/** Why a stream is reset. */
export const resetStatus = {
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
} as const

/** Why a connection ends. */
export const goAwayStatus = { ok: 0, protocolError: 1 } as const

export const flag = { fin: 1 } as const

export const initialWindowSetting = 7

/** Before anybody says otherwise. */
export const defaultWindowBytes = 64 * 1024

export const maxWindowBytes = 0x7fffffff

export const frameHeaderBytes = 8

const version = 3

/** A frame as it is received; data comes in pieces, since a frame may be larger than what is kept in memory. */
export type Frame =
  | { readonly type: 'data'; readonly streamId: number; readonly data: Buffer; readonly isLast: boolean }
  | { readonly type: 'syn-stream'; readonly streamId: number; readonly flags: number; readonly block: Buffer }
  | {
      readonly type: 'headers' | 'syn-reply'
      readonly streamId: number
      readonly flags: number
      readonly block: Buffer
    }
  | { readonly type: 'rst-stream'; readonly streamId: number; readonly status: number }
  | { readonly type: 'settings'; readonly initialWindowBytes: number | undefined }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'go-away' }
  | { readonly type: 'window-update'; readonly streamId: number; readonly deltaBytes: number }

/** The peer breaks the protocol: the connection ends. */
export function protocolError(message: string): RuntimeError {
  return new RuntimeError('invalid-argument', `SPDY: ${message}`)
}

/** Head of a data frame; the data follows. */
export function encodeDataHead(streamId: number, length: number, flags: number): Buffer {
  const head = Buffer.allocUnsafe(frameHeaderBytes)
  head.writeUInt32BE(streamId, 0)
  head.writeUInt32BE(flags * 0x1000000 + length, 4)
  return head
}

export function encodeControl(
  type: number,
  words: readonly number[],
  rest: { readonly flags?: number; readonly bytes?: Buffer } = {},
): Buffer {
  const { flags = 0, bytes = Buffer.alloc(0) } = rest
  const head = Buffer.allocUnsafe(frameHeaderBytes + 4 * words.length)
  head.writeUInt16BE(0x8000 | version, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt32BE(flags * 0x1000000 + 4 * words.length + bytes.length, 4)
  for (const [index, word] of words.entries()) head.writeUInt32BE(word, frameHeaderBytes + 4 * index)
  return Buffer.concat([head, bytes])
}
