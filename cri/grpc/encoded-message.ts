/** A message that is bytes already: it goes out as it is. */
export class EncodedMessage {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** Writes a list answer from its objects. */
export type ListEncoder<Item extends object> = (items: readonly Item[]) => EncodedMessage

/** Writes a long list as several messages, each well below what a client takes; no items are no messages. */
export type BatchEncoder<Item extends object> = (items: readonly Item[]) => Iterable<EncodedMessage>

/** A message of a batch ends when it has this many items, or its next one would make it larger than this. */
export const batchLimits = { items: 500, bytes: 256 * 1024 } as const

/** Field of the list in every answer that is one. */
const listField = 1

/** Writes messages whose only field is number 1, a list of messages. */
export function createListEncoder<Item extends object>(
  encode: (item: Item) => Uint8Array,
): ListEncoder<Item> {
  const frameOf = createFrames(listField, encode)
  return items => new EncodedMessage(Buffer.concat(items.map(frameOf)))
}

/** The same list in parts, made one by one as they are asked for. */
export function createBatchEncoder<Item extends object>(
  encode: (item: Item) => Uint8Array,
): BatchEncoder<Item> {
  const frameOf = createFrames(listField, encode)
  return function* (items) {
    let batch: Uint8Array[] = []
    let bytes = 0
    for (const item of items) {
      const frame = frameOf(item)
      const isFull = batch.length >= batchLimits.items || bytes + frame.length > batchLimits.bytes
      if (isFull && batch.length > 0) {
        yield new EncodedMessage(Buffer.concat(batch))
        batch = []
        bytes = 0
      }
      batch.push(frame)
      bytes += frame.length
    }
    if (batch.length > 0) yield new EncodedMessage(Buffer.concat(batch))
  }
}

/**
 * Writes objects as items of a repeated field. The engine replaces an object when it changes, so the bytes of an item
 * are made once per object and then only copied; they go when the object goes.
 */
export function createFrames<Item extends object>(
  field: number,
  encode: (item: Item) => Uint8Array,
): (item: Item) => Uint8Array {
  const frames = new WeakMap<Item, Uint8Array>()
  return item => {
    const known = frames.get(item)
    if (known) return known
    const made = frame(field, encode(item))
    frames.set(item, made)
    return made
  }
}

/** Wire type 2 (length and bytes), as in the protocol buffers encoding guide; the field number is at most 15. */
function frame(field: number, bytes: Uint8Array): Uint8Array {
  const head = [(field << 3) | 2]
  let length = bytes.length
  while (length > 0x7f) {
    head.push((length & 0x7f) | 0x80)
    length >>>= 7
  }
  head.push(length)
  return Buffer.concat([Uint8Array.from(head), bytes])
}
