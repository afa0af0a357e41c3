import { RuntimeError } from '#base/errors'

/** Frame types of shim/PROTOCOL.md. */
export const frameTypes = {
  ok: 1,
  error: 2,
  lock: 16,
  run: 17,
  cancel: 18,
  launch: 19,
  sandbox: 20,
  mountOverlay: 21,
  bind: 22,
  unmount: 23,
  removeTree: 24,
  readInRoot: 25,
  diskUsage: 26,
  killCgroup: 27,
  removeCgroup: 28,
  killProcess: 29,
  forward: 40,
  netDevices: 48,
  openFiles: 49,
  copyTree: 56,
  relabel: 57,
  watch: 64,
  kill: 65,
  exec: 66,
  attach: 67,
  reopenLog: 68,
  resize: 69,
  input: 70,
  inputEnd: 71,
  state: 96,
  started: 97,
  output: 98,
  exited: 99,
} as const

/** Field tags of shim/PROTOCOL.md. */
export const tags = {
  message: 1,
  errno: 2,
  argument: 3,
  environment: 4,
  directory: 5,
  input: 6,
  timeoutMs: 7,
  outputLimit: 8,
  exitCode: 9,
  stdout: 10,
  stderr: 11,
  path: 12,
  pid: 13,
  signal: 14,
  data: 15,
  hostname: 16,
  sysctl: 17,
  flags: 18,
  bytes: 19,
  inodes: 20,
  name: 21,
  layer: 22,
  upper: 23,
  work: 24,
  options: 25,
  source: 26,
  program: 27,
  cgroup: 28,
  state: 29,
  oom: 30,
  stream: 31,
  rows: 32,
  columns: 33,
  timeNs: 34,
  uidMapping: 44,
  gidMapping: 45,
  subPath: 46,
  port: 40,
} as const

export const frameLimits = { payloadBytes: 4 * 1024 * 1024 } as const

const frameHeaderSize = 12
const fieldHeaderSize = 6
const integerSize = 8

/** A number is sent as a 64-bit integer, a string as UTF-8 text, an array as bytes. */
export type FieldValue = number | bigint | string | Uint8Array

export interface OutgoingFrame {
  readonly id: number
  readonly type: number
  /** In this order; a list is the same tag several times. */
  readonly fields: readonly (readonly [tag: number, value: FieldValue])[]
}

/** A received frame; its fields are views of the received bytes. Read them with the functions below. */
export interface Frame {
  readonly id: number
  readonly type: number
  readonly fields: readonly { readonly tag: number; readonly data: Buffer }[]
}

/** Errors: `invalid-argument` for a text with a NUL byte or a frame over the limit. */
export function encodeFrame(frame: OutgoingFrame): Buffer {
  const fields = frame.fields.map(([tag, value]) => ({ tag, data: fieldBytes(tag, value) }))
  const size = fields.reduce((sum, field) => sum + fieldHeaderSize + field.data.length, 0)
  if (size > frameLimits.payloadBytes) {
    throw new RuntimeError(
      'invalid-argument',
      `a frame of type ${frame.type} would have ${size} bytes, more than ${frameLimits.payloadBytes}`,
    )
  }
  const bytes = Buffer.allocUnsafe(frameHeaderSize + size)
  bytes.writeUInt32LE(size, 0)
  bytes.writeUInt32LE(frame.id, 4)
  bytes.writeUInt16LE(frame.type, 8)
  bytes.writeUInt16LE(0, 10)
  let offset = frameHeaderSize
  for (const { tag, data } of fields) {
    bytes.writeUInt16LE(tag, offset)
    bytes.writeUInt32LE(data.length, offset + 2)
    bytes.set(data, offset + fieldHeaderSize)
    offset += fieldHeaderSize + data.length
  }
  return bytes
}

function fieldBytes(tag: number, value: FieldValue): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string') {
    if (value.includes('\0')) {
      throw new RuntimeError('invalid-argument', `the text of field ${tag} has a NUL byte`)
    }
    return Buffer.from(value, 'utf8')
  }
  const bytes = Buffer.allocUnsafe(integerSize)
  bytes.writeBigInt64LE(BigInt(value))
  return bytes
}

/** Cuts a stream of bytes into frames. After an error it must not be used any more. */
export interface FrameDecoder {
  /** The frames that are complete now. Errors: `data-loss` when the peer breaks the protocol. */
  push(chunk: Buffer): Frame[]
  /** True while the first part of a frame is held. */
  isInsideFrame(): boolean
}

export function createFrameDecoder(): FrameDecoder {
  let chunks: Buffer[] = []
  let heldBytes = 0
  let neededBytes = frameHeaderSize
  return {
    push(chunk) {
      chunks.push(chunk)
      heldBytes += chunk.length
      if (heldBytes < neededBytes) return []
      const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, heldBytes)
      const frames: Frame[] = []
      let offset = 0
      for (;;) {
        neededBytes = frameSize(bytes, offset)
        if (bytes.length - offset < neededBytes) break
        frames.push(decodeFrame(bytes.subarray(offset, offset + neededBytes)))
        offset += neededBytes
      }
      heldBytes = bytes.length - offset
      chunks = heldBytes > 0 ? [bytes.subarray(offset)] : []
      return frames
    },
    isInsideFrame: () => heldBytes > 0,
  }
}

/** Size of the frame that starts at offset, or of its header while that is not complete. */
function frameSize(bytes: Buffer, offset: number): number {
  if (bytes.length - offset < frameHeaderSize) return frameHeaderSize
  const size = bytes.readUInt32LE(offset)
  if (size > frameLimits.payloadBytes) {
    throw new RuntimeError('data-loss', `received a frame of ${size} bytes, which is too large`)
  }
  return frameHeaderSize + size
}

function decodeFrame(bytes: Buffer): Frame {
  const type = bytes.readUInt16LE(8)
  const fields: { tag: number; data: Buffer }[] = []
  let offset = frameHeaderSize
  while (offset < bytes.length) {
    const end =
      bytes.length - offset < fieldHeaderSize
        ? Number.POSITIVE_INFINITY
        : offset + fieldHeaderSize + bytes.readUInt32LE(offset + 2)
    if (end > bytes.length) {
      throw new RuntimeError('data-loss', `received a frame of type ${type} with a field that runs over it`)
    }
    fields.push({ tag: bytes.readUInt16LE(offset), data: bytes.subarray(offset + fieldHeaderSize, end) })
    offset = end
  }
  return { id: bytes.readUInt32LE(4), type, fields }
}

/** Bytes of the first field with this tag; undefined if absent. */
export function fieldData(frame: Frame, tag: number): Buffer | undefined {
  return frame.fields.find(field => field.tag === tag)?.data
}

/** "" if absent. */
export function fieldText(frame: Frame, tag: number): string {
  return fieldData(frame, tag)?.toString('utf8') ?? ''
}

/** All texts with this tag, in order. */
export function fieldTexts(frame: Frame, tag: number): string[] {
  return frame.fields.filter(field => field.tag === tag).map(field => field.data.toString('utf8'))
}

/** `fallback` if absent. Errors: `data-loss` when the field is not an integer. */
export function fieldBigint(frame: Frame, tag: number, fallback: bigint): bigint {
  const data = fieldData(frame, tag)
  if (!data) return fallback
  if (data.length !== integerSize) {
    throw new RuntimeError('data-loss', `field ${tag} of a frame of type ${frame.type} is not an integer`)
  }
  return data.readBigInt64LE(0)
}

/** Like fieldBigint, for integers that a double holds exactly; others are `data-loss`. */
export function fieldNumber(frame: Frame, tag: number, fallback: number): number {
  const value = Number(fieldBigint(frame, tag, BigInt(fallback)))
  if (!Number.isSafeInteger(value)) {
    throw new RuntimeError('data-loss', `field ${tag} of a frame of type ${frame.type} is out of range`)
  }
  return value
}
