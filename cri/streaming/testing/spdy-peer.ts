import type { Duplex } from 'node:stream'
import { createDeflate, constants as zlib } from 'node:zlib'
import { headerDictionary } from '../spdy/dictionary.ts'

/** A frame as a client sees it, raw. */
export interface ReceivedFrame {
  /** Of control frames; undefined: data. */
  readonly type: number | undefined
  /** The first word, without its first bit: a stream, or what the type says. */
  readonly id: number
  readonly flags: number
  readonly payload: Buffer
}

/** A SPDY client that does what a test says, and remembers what it gets. */
export interface SpdyPeer {
  readonly frames: ReceivedFrame[]
  send(frame: Buffer): void
  /** SYN_STREAM. Settles when it is sent; the answer is among the frames. */
  open(id: number, headers: Readonly<Record<string, string>>, flags?: number): Promise<void>
  data(id: number, data: string | Buffer, flags?: number): void
  /** Waits for a frame, also one that came already. */
  received(isWanted: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame>
  /** Data of a stream so far. */
  dataOf(id: number): Buffer
  /** Settles when the stream has ended, or was reset. */
  endOf(id: number): Promise<void>
  readonly closed: Promise<void>
  readonly transport: Duplex
}

export function createSpdyPeer(transport: Duplex): SpdyPeer {
  const compress = createHeaderEncoder()
  const frames: ReceivedFrame[] = []
  const waiting = new Set<() => void>()
  let pending = Buffer.alloc(0)
  let isClosed = false
  const wake = () => {
    for (const look of waiting) look()
  }
  transport.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 8 && pending.length >= 8 + pending.readUIntBE(5, 3)) {
      const end = 8 + pending.readUIntBE(5, 3)
      frames.push(parse(pending.subarray(0, end)))
      pending = pending.subarray(end)
    }
    wake()
  })
  transport.resume()
  transport.on('error', () => undefined)
  const closed = new Promise<void>(resolve => {
    transport.once('close', () => {
      isClosed = true
      wake()
      resolve()
    })
    transport.once('end', () => transport.end())
  })
  const peer: SpdyPeer = {
    frames,
    send: frame => {
      transport.write(frame)
    },
    async open(id, headers, flags = 0) {
      transport.write(synStream(id, flags, await compress(headers)))
    },
    data(id, data, flags = 0) {
      transport.write(dataFrame(id, flags, Buffer.from(data)))
    },
    received(isWanted) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const frame = frames.find(isWanted)
          if (!frame && !isClosed) return
          waiting.delete(look)
          if (frame) resolve(frame)
          else reject(new Error('the connection was closed before the frame came'))
        }
        waiting.add(look)
        look()
      })
    },
    dataOf: id =>
      Buffer.concat(frames.filter(one => one.type === undefined && one.id === id).map(one => one.payload)),
    async endOf(id) {
      await peer.received(
        one => one.id === id && ((one.type === undefined && one.flags === 1) || one.type === 3),
      )
    },
    closed,
    transport,
  }
  return peer
}

function synStream(id: number, flags: number, block: Buffer): Buffer {
  const head = Buffer.from([0x80, 3, 0, 1, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeUIntBE(block.length + 10, 5, 3)
  head.writeUInt32BE(id, 8)
  return Buffer.concat([head, block])
}

function dataFrame(id: number, flags: number, data: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(id)
  head.writeUInt8(flags, 4)
  head.writeUIntBE(data.length, 5, 3)
  return Buffer.concat([head, data])
}

function parse(bytes: Buffer): ReceivedFrame {
  const isControl = bytes.readUInt8(0) >= 0x80
  return {
    type: isControl ? bytes.readUInt16BE(2) : undefined,
    id: isControl ? bytes.readUInt32BE(8) & 0x7fffffff : bytes.readUInt32BE(0),
    flags: bytes.readUInt8(4),
    payload: bytes.subarray(8),
  }
}

/** Header blocks as a client makes them: one zlib stream for all, flushed after each. */
export function createHeaderEncoder(): (headers: Readonly<Record<string, string>>) => Promise<Buffer> {
  const deflate = createDeflate({ dictionary: headerDictionary, flush: zlib.Z_SYNC_FLUSH })
  let pieces: Buffer[] = []
  deflate.on('data', (piece: Buffer) => pieces.push(piece))
  return headers => {
    const texts = Object.entries(headers).flat()
    return new Promise(resolve => {
      deflate.write(Buffer.concat([number(texts.length / 2), ...texts.flatMap(lengthAndText)]), () => {
        resolve(Buffer.concat(pieces))
        pieces = []
      })
    })
  }
}

function lengthAndText(text: string): readonly Buffer[] {
  return [number(Buffer.byteLength(text)), Buffer.from(text)]
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
