import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RuntimeError } from '#base/errors'
import { digestHex, parseDigest } from '#base/ids'
import type { RecordStore } from '../state/record-store.ts'
import { createImageTable } from './image-table.ts'
import type { ImageRecord } from './records.ts'

const digestOf = (start: string) => parseDigest(`sha256:${start.padEnd(64, '0')}`)

function makeRecord(start: string): ImageRecord {
  const id = digestOf(start)
  const config = {
    user: '',
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: '',
    stopSignal: '',
    volumes: [],
    labels: {},
    os: 'linux',
    architecture: 'amd64',
    created: '',
  }
  const image = {
    id,
    repoTags: [],
    repoDigests: [],
    manifestDigest: id,
    sizeBytes: 1,
    chainIds: [],
    config,
    isPinned: false,
    pulledAtNs: 1n,
  }
  return { image, blobs: [id] }
}

/** Remembers saves in order; fails when told. */
function memoryRecords() {
  const saved = new Map<string, ImageRecord>()
  const order: string[] = []
  let isFull = false
  const records: RecordStore<ImageRecord> = {
    load: () => Promise.resolve(saved),
    write(name, value) {
      if (isFull) return Promise.reject(new RuntimeError('resource-exhausted', 'disk is full'))
      order.push(name)
      saved.set(name, value)
      return Promise.resolve()
    },
    remove(name) {
      saved.delete(name)
      return Promise.resolve()
    },
  }
  return { records, saved, order, fill: () => (isFull = true) }
}

const named = (tag: string) => ({
  repoTag: `reg.example/app:${tag}`,
  repoDigest: `reg.example/app@${digestOf('f')}`,
})

test('a prefix that fits several ids is invalid-argument, a longer one finds its image', async () => {
  const table = createImageTable(memoryRecords().records)
  await table.put(makeRecord('abc1'), named('one'))
  await table.put(makeRecord('abc2'), named('two'))
  assert.throws(() => table.find('abc'), { kind: 'invalid-argument' })
  assert.equal(table.find('abc1')?.image.id, digestOf('abc1'))
  assert.equal(table.find('sha256:abc2')?.image.id, digestOf('abc2'))
  assert.equal(table.find('a'), undefined, 'one digit is no prefix')
})

test('a name comes before an id prefix that looks like it', async () => {
  const table = createImageTable(memoryRecords().records)
  await table.put(makeRecord('abc1'), named('one'))
  const tag = { repoTag: 'docker.io/library/abc1:latest', repoDigest: 'docker.io/library/abc1@x' }
  await table.put(makeRecord('ffff'), tag)
  assert.equal(table.find('abc1')?.image.id, digestOf('ffff'))
})

test('a tag is taken from its owner on disk before it is given to another', async () => {
  const { records, saved, order } = memoryRecords()
  const table = createImageTable(records)
  await table.put(makeRecord('aa'), named('latest'))
  await table.put(makeRecord('bb'), named('latest'))
  assert.deepEqual(order.slice(1), [digestHex(digestOf('aa')), digestHex(digestOf('bb'))])
  assert.deepEqual(saved.get(digestHex(digestOf('aa')))?.image.repoTags, [])
  assert.equal(table.find('reg.example/app')?.image.id, digestOf('bb'))
})

test('what could not be saved is not in memory either', async () => {
  const { records, fill } = memoryRecords()
  const table = createImageTable(records)
  await table.put(makeRecord('aa'), named('one'))
  fill()
  await assert.rejects(table.put(makeRecord('bb'), named('two')), { kind: 'resource-exhausted' })
  await assert.rejects(table.addNames(digestOf('aa'), named('three')), { kind: 'resource-exhausted' })
  assert.equal(table.get(digestOf('bb')), undefined)
  assert.equal(table.find('reg.example/app:three'), undefined)
  assert.equal(table.find('reg.example/app:one')?.image.id, digestOf('aa'))
})

test('names for an image that has gone are refused', async () => {
  const table = createImageTable(memoryRecords().records)
  assert.equal(await table.addNames(digestOf('aa'), named('one')), false)
})

test('pulled again, an image keeps its names and the time of the first pull', async () => {
  const table = createImageTable(memoryRecords().records)
  await table.put(makeRecord('aa'), named('one'))
  const again = makeRecord('aa')
  await table.put({ image: { ...again.image, pulledAtNs: 9n }, blobs: [digestOf('cc')] }, named('two'))
  const record = table.get(digestOf('aa'))
  assert.deepEqual(record?.image.repoTags, ['reg.example/app:one', 'reg.example/app:two'])
  assert.equal(record.image.pulledAtNs, 1n)
  assert.deepEqual(record.blobs, [digestOf('aa'), digestOf('cc')])
})
