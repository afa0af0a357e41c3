import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { makeImage } from './testing/image-builder.ts'
import { startRegistry, type TestRegistry } from './testing/registry.ts'
import { eventually, type StoreBench, startStore } from './testing/store.ts'

let bench: StoreBench
let registry: TestRegistry
const image = makeImage({ layers: [[{ name: 'a', content: 'a' }], [{ name: 'b' }]] })
const hex = image.id.slice('sha256:'.length)

before(async () => {
  registry = await startRegistry()
  registry.addImage('app', 'latest', image)
})

after(() => registry.close())

beforeEach(async () => {
  bench = await startStore()
})

afterEach(() => bench.close())

const pull = (store = bench.store) =>
  store.pull(bench.ctx, { reference: `${registry.host}/app`, auth: undefined })

test('a restart finds the images as they were', async () => {
  await pull()
  const before = { images: bench.store.list(), files: await bench.leftovers() }
  const { usedBytes, inodesUsed } = bench.store.usage()
  const next = await bench.restart()
  assert.deepEqual(next.list(), before.images)
  assert.deepEqual([next.usage().usedBytes, next.usage().inodesUsed], [usedBytes, inodesUsed])
  assert.deepEqual(await bench.leftovers(), before.files)
})

test('what a pull that was interrupted by a crash left is gone after the start', async () => {
  await pull()
  const before = await bench.leftovers()
  await writeFile(join(bench.root, 'content/ingest/0123'), 'half a blob')
  await writeFile(join(bench.root, 'content/blobs/sha256', 'a'.repeat(64)), 'a blob nobody needs')
  await mkdir(join(bench.root, 'snapshots/7.tmp/deep/er'), { recursive: true })
  await mkdir(join(bench.root, 'snapshots/8/committed-but-not-recorded'), { recursive: true })
  await writeFile(join(bench.root, `images/${'b'.repeat(64)}.json.1-2.tmp`), 'half a record')
  const next = await bench.restart()
  await eventually(async () => {
    assert.deepEqual(await bench.leftovers(), before)
  })
  assert.equal(next.list().length, 1)
})

test('layers of a crash between layers and image record are collected', async () => {
  await pull()
  await rm(join(bench.root, `images/${hex}.json`))
  const next = await bench.restart()
  assert.deepEqual(next.list(), [])
  await eventually(async () => {
    assert.deepEqual(await bench.leftovers(), [])
  })
})

test('a new layer never takes the directory of a former one', async () => {
  await pull()
  const next = await bench.restart()
  const other = makeImage({ layers: [[{ name: 'other' }]] })
  registry.addImage('other', 'latest', other)
  await next.pull(bench.ctx, { reference: `${registry.host}/other`, auth: undefined })
  const names = await readdir(join(bench.root, 'snapshots'))
  assert.deepEqual(names.filter(name => !name.endsWith('.json')).sort(), ['0', '1', '2', '3'])
})

const damages: readonly (readonly [string, (text: string) => string])[] = [
  ['is empty', () => ''],
  ['is cut off', text => text.slice(0, text.length / 2)],
  ['has another version', text => text.replace('"version": 1', '"version": 99')],
  ['is about another image', text => text.replace(hex, 'f'.repeat(64))],
  ['has a text for a number', text => text.replace(/"sizeBytes": [0-9]+/, '"sizeBytes": "many"')],
  ['has a time that is none', text => text.replace(/"pulledAtNs": "[0-9]+"/, '"pulledAtNs": "soon"')],
]

for (const [name, damage] of damages) {
  test(`an image record that ${name} is put in quarantine, and the image can be pulled again`, async () => {
    await pull()
    const path = join(bench.root, `images/${hex}.json`)
    const damaged = damage(await readFile(path, 'utf8'))
    await writeFile(path, damaged)
    const next = await bench.restart()
    assert.deepEqual(next.list(), [])
    const [kept] = await readdir(join(bench.root, 'quarantine'))
    assert.equal(await readFile(join(bench.root, 'quarantine', kept ?? ''), 'utf8'), damaged)
    assert.equal(await pull(next), image.id)
    assert.equal(next.find(image.id)?.chainIds.length, 2)
  })
}

test('a damaged layer record means that the image is gone and can be pulled again', async () => {
  await pull()
  await writeFile(join(bench.root, 'snapshots/1.json'), '[]')
  const next = await bench.restart()
  assert.deepEqual(next.list(), [])
  assert.equal(await pull(next), image.id)
  assert.equal(next.find(image.id)?.chainIds.length, 2)
  await next.remove(bench.ctx, image.id)
  await eventually(async () => {
    assert.deepEqual(await bench.leftovers(), [])
  })
})

test('a layer directory that has vanished means that the image is gone and can be pulled again', async () => {
  await pull()
  await rm(join(bench.root, 'snapshots/2'), { recursive: true })
  const next = await bench.restart()
  assert.deepEqual(next.list(), [])
  assert.equal(await pull(next), image.id)
  await next.remove(bench.ctx, image.id)
  await eventually(async () => {
    assert.deepEqual(await bench.leftovers(), [])
  })
})
