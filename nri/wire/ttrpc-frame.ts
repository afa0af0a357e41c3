import { RuntimeError } from '#base/errors'

export const ttrpcLimits = { headerBytes: 10, messageBytes: 4 * 1024 * 1024 } as const

export const frameTypes = { request: 1, response: 2 } as const

/** One ttrpc message (https://github.com/containerd/ttrpc, PROTOCOL.md). */
export interface Frame {
  /** Chosen by the client, odd, growing; the answer carries the same. */
  readonly streamId: number
  readonly type: number
  readonly payload: Uint8Array
}

/** u32 length, u32 stream, u8 type, u8 flags (none for calls with one answer), big endian; then the payload. */
export function encodeFrame({ streamId, type, payload }: Frame): Buffer {
  if (payload.length > ttrpcLimits.messageBytes) {
    throw new RuntimeError(
      'resource-exhausted',
      `a message of ${payload.length} bytes is more than ${ttrpcLimits.messageBytes}`,
    )
  }
  const header = Buffer.alloc(ttrpcLimits.headerBytes)
  header.writeUInt32BE(payload.length, 0)
  header.writeUInt32BE(streamId, 4)
  header.writeUInt8(type, 8)
  return Buffer.concat([header, payload])
}

/** Puts messages together from bytes as they come. push() throws `invalid-argument` for one that is too large. */
export function createFrameReader(onFrame: (frame: Frame) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let size = 0
  let wanted: number = ttrpcLimits.headerBytes
  let head: Buffer | undefined

  function next(): void {
    const bytes = Buffer.concat(parts)
    parts = []
    size = 0
    if (!head) {
      head = bytes
      wanted = bytes.readUInt32BE(0)
      if (wanted > ttrpcLimits.messageBytes) {
        throw new RuntimeError(
          'invalid-argument',
          `a message of ${wanted} bytes is more than ${ttrpcLimits.messageBytes}`,
        )
      }
      if (wanted > 0) return
    }
    const frame = {
      streamId: head.readUInt32BE(4),
      type: head.readUInt8(8),
      payload: wanted > 0 ? bytes : empty,
    }
    head = undefined
    wanted = ttrpcLimits.headerBytes
    onFrame(frame)
  }

  return chunk => {
    let rest = chunk
    while (rest.length > 0) {
      const part = rest.subarray(0, wanted - size)
      rest = rest.subarray(part.length)
      parts.push(part)
      size += part.length
      if (size === wanted) next()
    }
  }
}

const empty = new Uint8Array(0)
