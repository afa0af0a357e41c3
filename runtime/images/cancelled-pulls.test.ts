import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { Ctx } from '#base/context'
import { silentLog } from '#base/log'
import { makeImage, type TestBlob } from './testing/image-builder.ts'
import { type Interference, startRegistry, type TestRegistry } from './testing/registry.ts'
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

const pull = (reference: string, ctx: Ctx = bench.ctx) =>
  bench.store.pull(ctx, { reference, auth: undefined })
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
const [bottom, top] = image.layers as [TestBlob, TestBlob]
const isAbout = (blob: TestBlob, interference: Interference): Interference => {
  return (request, response) => request.url.endsWith(blob.digest) && interference(request, response)
}

test('a time-out is deadline-exceeded at once and leaves nothing', async () => {
  registry.addImage('slow', 'latest', image)
  registry.interfere(isAbout(top, () => true))
  const start = performance.now()
  const ctx = { signal: AbortSignal.timeout(50), log: silentLog }
  await assert.rejects(pull(named('slow'), ctx), { kind: 'deadline-exceeded' })
  assert.ok(performance.now() - start < 300)
  const next = await bench.restart()
  assert.deepEqual(next.list(), [])
})

test('cancelling one of two callers lets the other finish', async () => {
  registry.addImage('shared', 'latest', image)
  const abort = new AbortController()
  let release: () => void = () => undefined
  const reached = new Promise<void>(resolve => {
    registry.interfere(
      isAbout(top, (request, response) => {
        if (request.headers['x-seen'] !== undefined) return false
        release = () => response.end(top.bytes)
        resolve()
        return true
      }),
    )
  })
  const gone = pull(named('shared'), { signal: abort.signal, log: silentLog })
  const patient = pull(named('shared'))
  await reached
  abort.abort()
  await assert.rejects(gone, { kind: 'cancelled' })
  release()
  assert.equal(await patient, image.id)
  await bench.store.remove(bench.ctx, image.id)
  await assertNothingLeft()
})

test('a retry right after a cancelled pull succeeds', async () => {
  registry.addImage('again', 'latest', image)
  const abort = new AbortController()
  const reached = new Promise<void>(resolve => {
    registry.interfere(
      isAbout(bottom, () => {
        resolve()
        return true
      }),
    )
  })
  const gone = pull(named('again'), { signal: abort.signal, log: silentLog })
  await reached
  registry.interfere(() => false)
  abort.abort()
  await assert.rejects(gone, { kind: 'cancelled' })
  assert.equal(await pull(named('again')), image.id)
  await bench.store.remove(bench.ctx, image.id)
  await assertNothingLeft()
})

test('stop cancels what is running, waits for it and leaves nothing', async () => {
  const stopping = await startStore()
  try {
    registry.addImage('stopped', 'latest', image)
    const reached = new Promise<void>(resolve => {
      registry.interfere(
        isAbout(top, () => {
          resolve()
          return true
        }),
      )
    })
    const running = stopping.store.pull(stopping.ctx, { reference: named('stopped'), auth: undefined })
    const outcome = assert.rejects(running, { kind: 'unavailable' })
    await reached
    await stopping.store.stop()
    await outcome
    assert.deepEqual(await stopping.leftovers(), [])
    await assert.rejects(
      stopping.store.pull(stopping.ctx, { reference: named('stopped'), auth: undefined }),
      {
        kind: 'unavailable',
      },
    )
  } finally {
    await stopping.close()
  }
})
