import type { FieldType, MessageSchema } from './message-schema.ts'

/** A field as it is written, whatever the definition says of it. */
export interface WireField {
  readonly number: number
  readonly value: WireValue
}

/** Wire types 0, 1 and 2 of the protocol buffers encoding guide; a message inside is its fields. */
export type WireValue =
  | { readonly wire: 'varint'; readonly value: bigint }
  | { readonly wire: 'fixed'; readonly bytes: Uint8Array }
  | { readonly wire: 'bytes'; readonly bytes: Uint8Array }
  | { readonly wire: 'fields'; readonly fields: readonly WireField[] }

export function writeFields(fields: readonly WireField[]): Buffer {
  return Buffer.concat(
    fields.map(({ number, value }) => {
      const tag = (type: number) => varint(BigInt(number * 8 + type))
      switch (value.wire) {
        case 'varint':
          return Buffer.concat([tag(0), varint(BigInt.asUintN(64, value.value))])
        case 'fixed':
          return Buffer.concat([tag(1), value.bytes])
        case 'bytes':
        case 'fields': {
          const bytes = value.wire === 'bytes' ? value.bytes : writeFields(value.fields)
          return Buffer.concat([tag(2), varint(BigInt(bytes.length)), bytes])
        }
      }
    }),
  )
}

/** Takes apart what is a right message of this kind. */
export function readFields(schema: MessageSchema, bytes: Buffer): WireField[] {
  const fields: WireField[] = []
  let at = 0
  const next = (): bigint => {
    const { value, end } = readVarint(bytes, at)
    at = end
    return value
  }
  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(next())
    const number = tag >> 3
    const type = schema.fields.find(field => field.number === number)?.type
    if (!type) throw new Error(`the message has no field ${number}`)
    const wire = tag & 7
    if (wire === 0) fields.push({ number, value: { wire: 'varint', value: next() } })
    else if (wire === 1) fields.push({ number, value: { wire: 'fixed', bytes: take(8) } })
    else fields.push({ number, value: delimited(type, take(Number(next()))) })
  }
  return fields
}

function delimited(type: FieldType, bytes: Buffer): WireValue {
  if (type.kind === 'message') return { wire: 'fields', fields: readFields(type.message, bytes) }
  return { wire: 'bytes', bytes }
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Buffer.from([...bytes, Number(rest)])
}

function readVarint(bytes: Buffer, start: number): { readonly value: bigint; readonly end: number } {
  let value = 0n
  let end = start
  for (let byte = 0x80; byte >= 0x80; end++) {
    byte = bytes.readUInt8(end)
    value |= BigInt(byte & 0x7f) << BigInt(7 * (end - start))
  }
  return { value, end }
}
