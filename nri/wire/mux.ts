import { RuntimeError } from '#base/errors'
import { ttrpcLimits } from './ttrpc-frame.ts'

/** The two logical connections that share one socket: who serves on it gives it its name. */
export const muxConnections = { plugin: 1, runtime: 2 } as const

/** u32 connection, u32 length, both big endian; then that many bytes. */
const headerBytes = 8
const maxPieceBytes = ttrpcLimits.headerBytes + ttrpcLimits.messageBytes

/**
 * Go plugins take a piece into a buffer of this size, or straight into the rest of a message that is larger; any
 * other way of cutting a message breaks them.
 */
const firstPieceBytes = 4096

/** The pieces in which one whole ttrpc message travels. */
export function encodePieces(connection: number, message: Uint8Array): readonly Uint8Array[] {
  const first = message.subarray(0, firstPieceBytes)
  const rest = message.subarray(firstPieceBytes)
  const pieces = [header(connection, first.length), first]
  return rest.length === 0 ? pieces : [...pieces, header(connection, rest.length), rest]
}

function header(connection: number, length: number): Buffer {
  const bytes = Buffer.alloc(headerBytes)
  bytes.writeUInt32BE(connection, 0)
  bytes.writeUInt32BE(length, 4)
  return bytes
}

/**
 * Takes the bytes of the socket as they come and hands on those of each connection; keeps nothing but a header that
 * is not whole. push() throws `invalid-argument` for a piece that is too large.
 */
export function createMuxReader(
  onBytes: (connection: number, bytes: Buffer) => void,
): (chunk: Buffer) => void {
  let head = Buffer.alloc(0)
  let connection = 0
  let missing = 0

  function takeHeader(chunk: Buffer): Buffer {
    const wanted = headerBytes - head.length
    head = Buffer.concat([head, chunk.subarray(0, wanted)])
    if (head.length === headerBytes) {
      connection = head.readUInt32BE(0)
      missing = head.readUInt32BE(4)
      head = Buffer.alloc(0)
      if (missing > maxPieceBytes) {
        throw new RuntimeError(
          'invalid-argument',
          `a piece of ${missing} bytes is more than ${maxPieceBytes}`,
        )
      }
    }
    return chunk.subarray(wanted)
  }

  return chunk => {
    let rest = chunk
    while (rest.length > 0) {
      if (missing === 0) {
        rest = takeHeader(rest)
        continue
      }
      const payload = rest.subarray(0, missing)
      rest = rest.subarray(payload.length)
      missing -= payload.length
      onBytes(connection, payload)
    }
  }
}
