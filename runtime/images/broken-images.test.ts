import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { type ErrorKind, kindOf } from '#base/errors'
import { makeBlob, makeImage, makeIndex, mediaTypes } from './testing/image-builder.ts'
import { startRegistry, type TestRegistry } from './testing/registry.ts'
import { type StoreBench, startStore } from './testing/store.ts'

let bench: StoreBench
let registry: TestRegistry

before(async () => {
  registry = await startRegistry()
  bench = await startStore()
})

after(async () => {
  await bench.close()
  await registry.close()
})

afterEach(() => {
  registry.interfere(() => false)
})

const pull = (reference: string) => bench.store.pull(bench.ctx, { reference, auth: undefined })
const named = (name: string) => `${registry.host}/${name}`

async function assertNothingLeft(): Promise<void> {
  assert.deepEqual(bench.store.list(), [])
  assert.deepEqual(await bench.leftovers(), [])
  assert.equal(bench.store.usage().usedBytes, 0)
}

const image = makeImage({
  layers: [[{ name: 'base', content: Buffer.alloc(300_000, 'a') }], [{ name: 'top', content: 'top' }]],
  compress: tar => tar,
})
const wrongDiffId = makeImage({
  layers: [[{ name: 'a' }], [{ name: 'b' }]],
  diffIds: [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`],
})
const hugeLayer = makeImage({ layers: [[{ name: 'a', content: Buffer.alloc(65 * 1024 * 1024) }]] })
const manyFiles = makeImage({ layers: [Array.from({ length: 1100 }, (_, i) => ({ name: `f${String(i)}` }))] })
const notTar = makeImage({ layers: [[{ name: 'a' }]], compress: () => Buffer.from('not a tar at all') })
const tooManyLayers = makeImage({ layers: Array.from({ length: 257 }, () => [{ name: 'a' }]) })
const configLies = makeImage({ layers: [[{ name: 'a' }]], diffIds: [] })

const brokenImages: readonly (readonly [string, ErrorKind, ReturnType<typeof makeImage>])[] = [
  ['whose layers have another diff id', 'data-loss', wrongDiffId],
  ['with a layer that unpacks to more than the limit', 'resource-exhausted', hugeLayer],
  ['with more files than the limit', 'resource-exhausted', manyFiles],
  ['with a layer that is no tar', 'failed-precondition', notTar],
  ['with too many layers', 'failed-precondition', tooManyLayers],
  ['whose config has fewer layers than its manifest', 'failed-precondition', configLies],
  ['for windows', 'failed-precondition', makeImage({ layers: [], config: { os: 'windows' } })],
  [
    'whose Env is a text',
    'failed-precondition',
    makeImage({ layers: [], config: { config: { Env: 'A=b' } } }),
  ],
  ['with schema 1', 'failed-precondition', makeImage({ layers: [], manifest: { schemaVersion: 1 } })],
  ['that is an index as well', 'failed-precondition', makeImage({ layers: [], manifest: { manifests: [] } })],
  [
    'of no known type',
    'failed-precondition',
    makeImage({ layers: [], manifest: { mediaType: 'text/plain' } }),
  ],
]

for (const [name, kind, broken] of brokenImages) {
  test(`an image ${name} is refused as ${kind} and leaves nothing`, async () => {
    registry.addImage('broken', 'latest', broken)
    await assert.rejects(pull(named('broken')), (err: unknown) => {
      assert.equal(kindOf(err), kind, String(err))
      return true
    })
    await assertNothingLeft()
  })
}

test('an index without this machine is not-found and says what there is', async () => {
  const blob = image.manifest
  const index = makeIndex([{ blob, platform: { os: 'linux', architecture: 's390x' } }])
  registry.addManifest('foreign', 'latest', index)
  await assert.rejects(pull(named('foreign')), { kind: 'not-found', message: /linux\/s390x/ })
})

test('an index of indexes without end is refused', async () => {
  const platform = { os: 'linux', architecture: 'amd64' }
  let blob = image.manifest
  for (let depth = 0; depth < 4; depth++) {
    blob = makeIndex([{ blob, platform }])
    registry.addManifest('deep', 'latest', blob)
  }
  await assert.rejects(pull(named('deep')), { kind: 'failed-precondition' })
})

test('a manifest of the index that lies about its size is data-loss', async () => {
  const platform = { os: 'linux', architecture: 'amd64' }
  registry.addManifest('sizes', 'x', image.manifest)
  registry.addManifest('sizes', 'latest', makeIndex([{ blob: { ...image.manifest, size: 17 }, platform }]))
  await assert.rejects(pull(named('sizes')), { kind: 'data-loss' })
  registry.addManifest('sizes', 'latest', makeIndex([{ blob: { ...image.manifest, size: 1e9 }, platform }]))
  await assert.rejects(pull(named('sizes')), { kind: 'resource-exhausted' })
})

test('a manifest by digest that is another one is data-loss', async () => {
  const other = makeBlob(mediaTypes.manifest, '{}')
  registry.interfere((_, response) => {
    response.end(image.manifest.bytes)
    return true
  })
  await assert.rejects(pull(named(`x@${other.digest}`)), { kind: 'data-loss' })
})

for (const [name, contentBytes, compress] of [
  ['while downloading', 3_000_000, (tar: Buffer) => tar],
  ['while unpacking', 3_000_000, undefined],
] as const) {
  test(`a disk that is full ${name} is resource-exhausted, leaves nothing, and the next pull works`, async () => {
    const mount = await mkdtemp(join(tmpdir(), 'lighter-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount])
    try {
      const full = await startStore({ parent: mount })
      try {
        const layers = [[{ name: 'big', content: Buffer.alloc(contentBytes, 'x') }]]
        registry.addImage('full', 'big', makeImage({ layers, ...(compress && { compress }) }))
        registry.addImage('full', 'small', makeImage({ layers: [[{ name: 'small' }]] }))
        const pullHere = (tag: string) =>
          full.store.pull(full.ctx, { reference: named(`full:${tag}`), auth: undefined })
        await assert.rejects(pullHere('big'), (err: unknown) => {
          assert.equal(kindOf(err), 'resource-exhausted', String(err))
          return true
        })
        assert.deepEqual(await full.leftovers(), [])
        await pullHere('small')
      } finally {
        await full.close()
      }
    } finally {
      execFileSync('umount', [mount])
      await rm(mount, { recursive: true })
    }
  })
}
