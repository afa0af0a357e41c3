import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { createIds } from '#base/ids'
import { type Blobs, createBlobs, digestOf } from './blobs.ts'

let directory: string
let blobs: Blobs

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lighter-blobs-'))
  blobs = createBlobs({ directory, ids: createIds() })
  await blobs.start()
})

afterEach(() => rm(directory, { recursive: true }))

const bytes = Buffer.from('some bytes of a blob')
const digest = digestOf(bytes)
const ingests = () => readdir(join(directory, 'ingest'))

test('a blob becomes visible when it is committed, not before', async () => {
  const ingest = await blobs.ingest({ digest, size: bytes.length }, true)
  await ingest.write(bytes.subarray(0, 7))
  await ingest.write(bytes.subarray(7))
  assert.equal(blobs.has(digest), false)
  assert.equal((await ingests()).length, 1)
  await ingest.commit()
  await ingest.close()
  assert.equal(blobs.has(digest), true)
  assert.deepEqual(await blobs.read(digest, 100), bytes)
  assert.deepEqual([...blobs.sizes()], [[digest, bytes.length]])
  assert.deepEqual(await ingests(), [])
})

test('an ingest that is closed without a commit leaves nothing', async () => {
  const ingest = await blobs.ingest({ digest, size: bytes.length }, false)
  await ingest.write(bytes)
  await ingest.close()
  assert.equal(blobs.has(digest), false)
  assert.deepEqual(await ingests(), [])
})

const lies: readonly (readonly [string, Buffer, number])[] = [
  ['too short', bytes.subarray(1), bytes.length],
  ['of other bytes', Buffer.from('other bytes of a bl.'), bytes.length],
]

for (const [name, content, size] of lies) {
  test(`a blob that is ${name} is data-loss and does not become visible`, async () => {
    const ingest = await blobs.ingest({ digest, size }, true)
    await ingest.write(content)
    await assert.rejects(ingest.commit(), { kind: 'data-loss' })
    await ingest.close()
    assert.equal(blobs.has(digest), false)
    assert.deepEqual(await ingests(), [])
  })
}

test('a blob that is too long is data-loss before it is written', async () => {
  const ingest = await blobs.ingest({ digest, size: bytes.length }, true)
  await assert.rejects(ingest.write(Buffer.concat([bytes, bytes])), { kind: 'data-loss' })
  assert.equal(ingest.written, 0)
  await ingest.close()
})

test('an ingest may begin anew', async () => {
  const ingest = await blobs.ingest({ digest, size: bytes.length }, false)
  await ingest.write(Buffer.from('wrong wrong wrong'))
  await ingest.restart()
  await ingest.write(bytes)
  await ingest.commit()
  await ingest.close()
  assert.deepEqual(await readFile(blobs.path(digest)), bytes)
})

test('a blob that the disk has changed is data-loss, one over the limit resource-exhausted', async () => {
  await blobs.put(bytes)
  await assert.rejects(blobs.read(digest, 5), { kind: 'resource-exhausted' })
  await writeFile(blobs.path(digest), 'damaged')
  await assert.rejects(blobs.read(digest, 100), { kind: 'data-loss' })
  await blobs.remove(digest)
  await assert.rejects(blobs.read(digest, 100), { kind: 'not-found' })
})

test('removing and storing the same blob at once ends with the index and the disk in agreement', async () => {
  for (let round = 0; round < 50; round++) {
    await blobs.put(bytes)
    await Promise.all([blobs.remove(digest), blobs.put(bytes)])
    const onDisk = (await readdir(join(directory, 'blobs/sha256'))).length === 1
    assert.equal(blobs.has(digest), onDisk)
    assert.ok(onDisk, 'what was stored last is there')
  }
})

test('a start counts what is there and removes what was half written', async () => {
  await blobs.put(bytes)
  await writeFile(join(directory, 'ingest/half'), 'x')
  await writeFile(join(directory, 'blobs/sha256/README'), 'not a blob')
  const next = createBlobs({ directory, ids: createIds() })
  await next.start()
  assert.deepEqual([...next.sizes()], [[digest, bytes.length]])
  assert.deepEqual(await ingests(), [])
})
