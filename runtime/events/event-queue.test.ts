import assert from 'node:assert/strict'
import test from 'node:test'
import type { ContainerEvent } from '../model/event.ts'
import { samplePod } from '../testing/samples.ts'
import { createEventQueue, type EventQueue } from './event-queue.ts'

const pod = samplePod()

function event(id: number): ContainerEvent {
  return { kind: 'created', id: String(id), timestampNs: BigInt(id), pod, containers: [] }
}

function fill(queue: EventQueue, from: number, to: number): void {
  for (let id = from; id <= to; id++) queue.push(event(id))
}

async function take(reader: AsyncIterator<ContainerEvent>, count: number): Promise<string[]> {
  const ids: string[] = []
  while (ids.length < count) {
    const next = await reader.next()
    if (next.done) break
    ids.push(next.value.id)
  }
  return ids
}

test('events are read in the order in which they came, before and after the reader', async () => {
  const queue = createEventQueue(4)
  const reader = queue.read()[Symbol.asyncIterator]()
  fill(queue, 1, 2)
  assert.deepEqual(await take(reader, 2), ['1', '2'])
  const waiting = take(reader, 3)
  fill(queue, 3, 5)
  assert.deepEqual(await waiting, ['3', '4', '5'])
  assert.equal(queue.dropped, 0)
})

test('a full queue loses the oldest events, and counts them', async () => {
  const queue = createEventQueue(4)
  const reader = queue.read()[Symbol.asyncIterator]()
  fill(queue, 1, 3)
  assert.deepEqual(await take(reader, 2), ['1', '2'])
  fill(queue, 4, 11)
  assert.equal(queue.dropped, 5)
  assert.deepEqual(await take(reader, 4), ['8', '9', '10', '11'])
  fill(queue, 12, 12)
  assert.deepEqual(await take(reader, 1), ['12'])
  assert.equal(queue.dropped, 5)
})

test('the end comes at once, to a reader who waits and to one who comes later', async () => {
  const queue = createEventQueue(4)
  const waiting = take(queue.read()[Symbol.asyncIterator](), 1)
  queue.end()
  assert.deepEqual(await waiting, [])
  fill(queue, 1, 9)
  assert.deepEqual(await take(queue.read()[Symbol.asyncIterator](), 1), [])
  assert.equal(queue.dropped, 0)
})
