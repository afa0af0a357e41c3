import assert from 'node:assert/strict'
import { test } from 'node:test'
import { v1 } from '#proto'
import { batchLimits, createBatchEncoder, createFrames, createListEncoder } from './encoded-message.ts'

interface Item {
  readonly text: string
}

const toMessage = (item: Item) => ({ id: item.text })

test('the bytes of a list are those that the generated code writes, for items of every length', () => {
  const items = [0, 1, 124, 125, 126, 127, 128, 16_380, 16_384, 70_000, 2_100_000].map(length => ({
    text: 'x'.repeat(length),
  }))
  const encode = createListEncoder<Item>(item => v1.PodSandbox.encode(toMessage(item)).finish())
  const expected = v1.ListPodSandboxResponse.encode({ items: items.map(toMessage) }).finish()
  assert.ok(Buffer.from(expected).equals(encode(items).bytes))
})

test('no items are no bytes', () => {
  const encode = createListEncoder<Item>(() => new Uint8Array())
  assert.equal(encode([]).bytes.length, 0)
})

test('an item is encoded once as long as it is the same object', () => {
  let count = 0
  const encode = createListEncoder<Item>(item => {
    count++
    return v1.PodSandbox.encode(toMessage(item)).finish()
  })
  const [a, b] = [{ text: 'a' }, { text: 'b' }]
  encode([a, b])
  encode([b, a])
  assert.equal(count, 2)
  const changed = { ...a, text: 'c' }
  const { bytes } = encode([changed, b])
  assert.equal(count, 3)
  assert.deepEqual(
    v1.ListPodSandboxResponse.decode(bytes).items.map(item => item.id),
    ['c', 'b'],
  )
})

test('a list in parts is the same list, each part within the limits', () => {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ['many small items', Array.from({ length: 1_700 }, () => 10)],
    ['items of 100 KiB', Array.from({ length: 9 }, () => 100_000)],
    ['an item larger than a part', [10, 1_000_000, 10, 10]],
    ['exactly one part', Array.from({ length: batchLimits.items }, () => 1)],
  ]
  const encode = createBatchEncoder<Item>(item => v1.PodSandbox.encode(toMessage(item)).finish())
  for (const [name, lengths] of cases) {
    const items = lengths.map((length, i) => ({ text: `${i}`.padEnd(length, '.') }))
    const parts = [...encode(items)]
    const messages = parts.map(({ bytes }) => v1.StreamPodSandboxesResponse.decode(bytes).podSandboxes)
    assert.deepEqual(
      messages.flat().map(({ id }) => id),
      items.map(({ text }) => text),
      name,
    )
    for (const [i, { bytes }] of parts.entries()) {
      const number = messages[i]?.length ?? 0
      assert.ok(number <= batchLimits.items && (number === 1 || bytes.length <= batchLimits.bytes), name)
    }
  }
})

test('a part is made when it is asked for', () => {
  let count = 0
  const encode = createBatchEncoder<Item>(() => {
    count++
    return new Uint8Array(1)
  })
  const items = Array.from({ length: 3 * batchLimits.items }, (_, i) => ({ text: `${i}` }))
  const [first] = encode(items)
  assert.equal(first?.bytes.length, 3 * batchLimits.items)
  assert.ok(count <= batchLimits.items + 1)
})

test('no items are no parts', () => {
  assert.deepEqual([...createBatchEncoder<Item>(() => new Uint8Array())([])], [])
})

test('items of any field are read back', () => {
  const frameOf = createFrames<Item>(5, item => v1.ContainerStatus.encode(toMessage(item)).finish())
  const bytes = Buffer.concat([{ text: 'a' }, { text: 'b' }].map(frameOf))
  const { containersStatuses } = v1.ContainerEventResponse.decode(bytes)
  assert.deepEqual(
    containersStatuses.map(({ id }) => id),
    ['a', 'b'],
  )
})
