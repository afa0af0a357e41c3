import assert from 'node:assert/strict'
import { test } from 'node:test'
import { v1 } from '#proto'
import { createListEncoder } from './encoded-message.ts'

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
