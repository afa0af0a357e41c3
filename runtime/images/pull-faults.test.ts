import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import type { Ctx } from '#base/context'
import { type ErrorKind, isKind, kindOf } from '#base/errors'
import { silentLog } from '#base/log'
import { makeBlob, makeImage, makeIndex, mediaTypes, type TestBlob } from './testing/image-builder.ts'
import { cutAfter, type Interference, startRegistry, type TestRegistry } from './testing/registry.ts'
import { type StoreBench, startStore } from './testing/store.ts'

let bench: StoreBench
let registry: TestRegistry

before(async () => {
  registry = await startRegistry()
  bench = await startStore({ limits: { pullProgressTimeoutMs: 400 } })
})

after(async () => {
  await bench.close()
  await registry.close()
})

afterEach(() => {
  registry.interfere(() => false)
})

const image = makeImage({
  layers: [[{ name: 'base', content: Buffer.alloc(300_000, 'a') }], [{ name: 'top', content: 'top' }]],
  compress: tar => tar,
})
const [bottom, top] = image.layers as [TestBlob, TestBlob]
const isAbout = (blob: TestBlob, interference: Interference): Interference => {
  return (request, response) => request.url.endsWith(blob.digest) && interference(request, response)
}
const status = (code: number): Interference => {
  return (_, response) => {
    response.writeHead(code, { 'content-length': 0 }).end()
    return true
  }
}

interface Fault {
  readonly name: string
  readonly kind: ErrorKind
  readonly message?: RegExp
  readonly interfere: Interference
}

const faults: readonly Fault[] = [
  { name: 'answers 404', kind: 'not-found', interfere: status(404) },
  { name: 'answers 403', kind: 'permission-denied', interfere: status(403) },
  { name: 'answers 401 without a challenge', kind: 'unauthenticated', interfere: status(401) },
  { name: 'answers 429 for ever', kind: 'registry-unavailable', message: /429/, interfere: status(429) },
  { name: 'answers 503 for ever', kind: 'registry-unavailable', message: /503/, interfere: status(503) },
  { name: 'answers 418', kind: 'registry-unavailable', interfere: status(418) },
  {
    name: 'never answers',
    kind: 'registry-unavailable',
    interfere: isAbout(bottom, () => true),
  },
  {
    name: 'stops sending in the middle of a layer',
    kind: 'registry-unavailable',
    message: /sent nothing for 400 ms/,
    interfere: isAbout(bottom, (_, response) => {
      response.writeHead(200, { 'content-length': bottom.size })
      response.write(bottom.bytes.subarray(0, 1000))
      return true
    }),
  },
  {
    name: 'cuts every connection in the middle of a layer',
    kind: 'registry-unavailable',
    interfere: isAbout(bottom, (_, response) => {
      cutAfter(1000, response, bottom)
      return true
    }),
  },
  {
    name: 'cuts every connection before the answer',
    kind: 'registry-unavailable',
    interfere: (_, response) => {
      response.destroy()
      return true
    },
  },
  {
    name: 'serves other bytes of the right size as a layer',
    kind: 'data-loss',
    message: /digest/,
    interfere: isAbout(bottom, (_, response) => {
      response.end(Buffer.alloc(bottom.size, 'b'))
      return true
    }),
  },
  {
    name: 'announces another size of a layer',
    kind: 'data-loss',
    interfere: isAbout(bottom, (_, response) => {
      response.writeHead(200, { 'content-length': bottom.size + 1 }).end(Buffer.alloc(bottom.size + 1))
      return true
    }),
  },
  {
    name: 'sends more of a layer than the manifest says, without announcing it',
    kind: 'data-loss',
    message: /longer/,
    interfere: isAbout(bottom, (_, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' })
      response.end(Buffer.concat([bottom.bytes, Buffer.alloc(10)]))
      return true
    }),
  },
  {
    name: 'sends less of a layer than the manifest says, without announcing it',
    kind: 'data-loss',
    interfere: isAbout(bottom, (_, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(bottom.bytes.subarray(0, 5000))
      return true
    }),
  },
  {
    name: 'serves another config',
    kind: 'data-loss',
    interfere: isAbout(image.config, (_, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(Buffer.alloc(image.config.size, '{'))
      return true
    }),
  },
  {
    name: 'sends a config that does not end',
    kind: 'data-loss',
    interfere: isAbout(image.config, (_, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(Buffer.alloc(100_000, '{'))
      return true
    }),
  },
  {
    name: 'lacks the top layer',
    kind: 'not-found',
    interfere: isAbout(top, status(404)),
  },
  {
    name: 'sends a manifest over the limit',
    kind: 'resource-exhausted',
    interfere: (_, response) => {
      response.writeHead(200, { 'content-type': mediaTypes.manifest }).end(Buffer.alloc(300_000, ' '))
      return true
    },
  },
  {
    name: 'redirects in circles',
    kind: 'registry-unavailable',
    message: /redirects/,
    interfere: (request, response) => {
      response.writeHead(302, { location: request.url }).end()
      return true
    },
  },
  {
    name: 'redirects to a file',
    kind: 'registry-unavailable',
    interfere: (_, response) => {
      response.writeHead(302, { location: 'file:///etc/passwd' }).end()
      return true
    },
  },
]

const pull = (reference: string, ctx: Ctx = bench.ctx) =>
  bench.store.pull(ctx, { reference, auth: undefined })
const named = (name: string) => `${registry.host}/${name}`

async function assertNothingLeft(): Promise<void> {
  assert.deepEqual(bench.store.list(), [])
  assert.deepEqual(await bench.leftovers(), [])
  assert.equal(bench.store.usage().usedBytes, 0)
}

for (const fault of faults) {
  test(`a registry that ${fault.name} gives ${fault.kind} and leaves nothing`, async () => {
    registry.addImage('faulty', 'latest', image)
    registry.interfere(fault.interfere)
    const reference = named('faulty')
    await assert.rejects(pull(reference), (err: unknown) => {
      assert.equal(kindOf(err), fault.kind, String(err))
      assert.ok(err instanceof Error && err.message.includes('faulty'), String(err))
      if (fault.message) assert.match(err.message, fault.message)
      return true
    })
    await assertNothingLeft()
  })
}

test('a registry that is down is registry-unavailable', async () => {
  const gone = await startRegistry()
  await gone.close()
  await assert.rejects(pull(`${gone.host}/a`), (err: unknown) => isKind(err, 'registry-unavailable'))
  await assertNothingLeft()
})

test('a registry that has no address is registry-unavailable', async () => {
  await assert.rejects(pull('registry.invalid/a'), (err: unknown) => isKind(err, 'registry-unavailable'))
  await assertNothingLeft()
})

test('a registry that recovers is not given up', async () => {
  registry.addImage('faulty', 'latest', image)
  let failures = 2
  registry.interfere((request, response) => failures-- > 0 && status(503)(request, response))
  assert.equal(await pull(named('faulty')), image.id)
  await bench.store.remove(bench.ctx, image.id)
  await assertNothingLeft()
})

test('malformed references are refused before anybody is asked', async () => {
  const asked = registry.requests.length
  for (const reference of ['', 'quay.io/UPPER', `${registry.host}/a:b:c`, 'a'.repeat(5000)]) {
    await assert.rejects(pull(reference), (err: unknown) => isKind(err, 'invalid-argument'))
  }
  assert.equal(registry.requests.length, asked)
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
