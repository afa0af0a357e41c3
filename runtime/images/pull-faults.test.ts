import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { type ErrorKind, isKind, kindOf } from '#base/errors'
import { makeImage, mediaTypes, type TestBlob } from './testing/image-builder.ts'
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

const pull = (reference: string) => bench.store.pull(bench.ctx, { reference, auth: undefined })
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
