/** A message that is bytes already: it goes out as it is. */
export class EncodedMessage {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** Writes a list answer from its objects. */
export type ListEncoder<Item extends object> = (items: readonly Item[]) => EncodedMessage

/**
 * Writes messages whose only field is number 1, a list of messages. The engine replaces an object when it changes,
 * so the bytes of an item are made once per object and then only copied; they go when the object goes.
 */
export function createListEncoder<Item extends object>(
  encode: (item: Item) => Uint8Array,
): ListEncoder<Item> {
  const frames = new WeakMap<Item, Uint8Array>()
  return items =>
    new EncodedMessage(
      Buffer.concat(
        items.map(item => {
          const known = frames.get(item)
          if (known) return known
          const made = frame(encode(item))
          frames.set(item, made)
          return made
        }),
      ),
    )
}

/** Field 1, wire type 2 (length and bytes), as in the protocol buffers encoding guide. */
const listTag = (1 << 3) | 2

function frame(bytes: Uint8Array): Uint8Array {
  const head = [listTag]
  let length = bytes.length
  while (length > 0x7f) {
    head.push((length & 0x7f) | 0x80)
    length >>>= 7
  }
  head.push(length)
  return Buffer.concat([Uint8Array.from(head), bytes])
}
