import assert from 'node:assert/strict'
import { type IncomingHttpHeaders, request } from 'node:http'
import { test } from 'node:test'
import { type BuiltImage, buildImage, buildIndex, digestOf } from './image-builder.ts'
import { createRegistry, type Registry, type RegistryOptions } from './registry.ts'
import { createFaults, type Fault } from './registry-faults.ts'

interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Rejects when the connection breaks before the body is whole. */
async function ask(url: string, { method = 'GET', headers = {}, body }: Asking = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) })
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

async function withRegistry(
  options: RegistryOptions,
  body: (registry: Registry, url: string) => Promise<void>,
): Promise<void> {
  const registry = createRegistry(options)
  await registry.start()
  registry.put('team/app', '1', image)
  try {
    await body(registry, `http://${registry.host()}`)
  } finally {
    await registry.stop()
  }
}

const image: BuiltImage = await buildImage({
  layers: [{ entries: [{ type: 'file', path: 'a', content: 'x'.repeat(5000) }], compression: 'none' }],
})
const layer = image.layers[0]?.digest ?? ''
const layerBytes = image.layers[0]?.bytes ?? Buffer.alloc(0)
const manifestPath = '/v2/team/app/manifests/1'
const blobPath = `/v2/team/app/blobs/${layer}`

test('a manifest is found by tag and by digest, with its type and digest', async () => {
  await withRegistry({}, async (_, url) => {
    for (const reference of ['1', image.digest]) {
      const answer = await ask(`${url}/v2/team/app/manifests/${reference}`)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-type'], image.mediaType)
      assert.equal(answer.headers['docker-content-digest'], image.digest)
      assert.equal(digestOf(answer.body), image.digest)
    }
    const head = await ask(url + manifestPath, { method: 'HEAD' })
    assert.deepEqual(
      [head.status, head.headers['content-length'], head.body.byteLength],
      [200, String(image.manifest.byteLength), 0],
    )
  })
})

test('an index brings its manifests along', async () => {
  await withRegistry({}, async (registry, url) => {
    const other = await buildImage({ layers: [], platform: { os: 'linux', architecture: 'riscv64' } })
    const index = buildIndex([image, other])
    registry.put('multi', 'latest', index)
    assert.equal((await ask(`${url}/v2/multi/manifests/latest`)).headers['content-type'], index.mediaType)
    for (const child of [image, other]) {
      const answer = await ask(`${url}/v2/multi/manifests/${child.digest}`)
      assert.equal(digestOf(answer.body), child.digest)
      assert.equal((await ask(`${url}/v2/multi/blobs/${child.configDigest}`)).status, 200)
    }
  })
})

test('what is not there is 404; a blob belongs to its repository', async () => {
  await withRegistry({}, async (registry, url) => {
    registry.put('empty', '1', await buildImage({ layers: [] }))
    const paths = ['/v2/nobody/manifests/1', '/v2/team/app/manifests/2', `/v2/empty/blobs/${layer}`, '/v3/']
    for (const path of paths) assert.equal((await ask(url + path)).status, 404, path)
    registry.removeTag('team/app', '1')
    assert.equal((await ask(url + manifestPath)).status, 404)
    assert.equal((await ask(`${url}/v2/team/app/manifests/${image.digest}`)).status, 200)
  })
})

test('tags are listed', async () => {
  await withRegistry({}, async (registry, url) => {
    registry.put('team/app', '0', image)
    const answer = await ask(`${url}/v2/team/app/tags/list`)
    assert.deepEqual(JSON.parse(answer.body.toString()), { name: 'team/app', tags: ['0', '1'] })
  })
})

test('ranges of a blob', async () => {
  await withRegistry({}, async (_, url) => {
    const size = layerBytes.byteLength
    const cases = [
      {
        range: 'bytes=100-',
        status: 206,
        body: layerBytes.subarray(100),
        says: `bytes 100-${size - 1}/${size}`,
      },
      { range: 'bytes=5-9', status: 206, body: layerBytes.subarray(5, 10), says: `bytes 5-9/${size}` },
      { range: `bytes=${size}-`, status: 416, body: Buffer.alloc(0), says: `bytes */${size}` },
    ]
    for (const { range, status, body, says } of cases) {
      const answer = await ask(url + blobPath, { headers: { range } })
      assert.deepEqual([answer.status, answer.headers['content-range']], [status, says])
      assert.ok(answer.body.equals(body), range)
    }
  })
})

test('requests are kept with what was asked for', async () => {
  await withRegistry({}, async (registry, url) => {
    await ask(url + manifestPath, { method: 'HEAD', headers: { authorization: 'Basic secret' } })
    await ask(url + blobPath, { headers: { range: 'bytes=1-' } })
    const kept = registry.requests().map(({ method, kind, status, range, authorization }) => {
      return { method, kind, status, range, authorization }
    })
    assert.deepEqual(kept, [
      { method: 'HEAD', kind: 'manifest', status: 200, range: undefined, authorization: 'Basic' },
      { method: 'GET', kind: 'blob', status: 206, range: 'bytes=1-', authorization: undefined },
    ])
    registry.clearRequests()
    assert.deepEqual(registry.requests(), [])
  })
})

test('Basic: only with the right password', async () => {
  await withRegistry({ auth: { type: 'basic', username: 'u', password: 'p' } }, async (_, url) => {
    const refused = await ask(`${url}/v2/`)
    assert.deepEqual(
      [refused.status, refused.headers['www-authenticate']],
      [401, 'Basic realm="lighter demo"'],
    )
    assert.equal((await ask(`${url}/v2/`, { headers: basic('u', 'wrong') })).status, 401)
    assert.equal((await ask(url + manifestPath, { headers: basic('u', 'p') })).status, 200)
  })
})

function basic(username: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

test('Bearer: a token holds for its repository and its time', async () => {
  let now = 1_000_000
  const auth = { type: 'bearer', username: 'u', password: 'p', lifeSeconds: 60 } as const
  await withRegistry({ auth, now: () => now }, async (registry, url) => {
    registry.put('other', '1', image)
    const refused = await ask(url + manifestPath)
    assert.equal(refused.status, 401)
    const challenge = refused.headers['www-authenticate'] ?? ''
    assert.equal(
      challenge,
      `Bearer realm="${url}/token",service="lighter-demo",scope="repository:team/app:pull"`,
    )
    const tokenUrl = `${url}/token?service=lighter-demo&scope=repository:team/app:pull,push`
    assert.equal((await ask(tokenUrl)).status, 401)
    const issued = await ask(tokenUrl, { headers: basic('u', 'p') })
    const { token, expires_in } = JSON.parse(issued.body.toString()) as { token: string; expires_in: number }
    assert.equal(expires_in, 60)
    const headers = { authorization: `Bearer ${token}` }
    assert.equal((await ask(url + manifestPath, { headers })).status, 200)
    assert.equal((await ask(`${url}/v2/other/manifests/1`, { headers })).status, 401)
    now += 61_000
    assert.equal((await ask(url + manifestPath, { headers })).status, 401)
  })
})

test('Bearer: an identity token is exchanged by POST', async () => {
  await withRegistry({ auth: { type: 'bearer', username: 'u', identityToken: 'id' } }, async (_, url) => {
    const form = (token: string) =>
      new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: token,
        scope: 'repository:team/app:pull',
      })
    const post = (token: string) => ask(`${url}/token`, { method: 'POST', body: form(token).toString() })
    assert.equal((await post('wrong')).status, 401)
    const { access_token } = JSON.parse((await post('id')).body.toString()) as { access_token: string }
    const headers = { authorization: `Bearer ${access_token}` }
    assert.equal((await ask(url + blobPath, { headers })).status, 200)
  })
})

test('blobs come from another server, which wants no credentials', async () => {
  await withRegistry({ redirectsBlobs: true }, async (registry, url) => {
    const redirect = await ask(url + blobPath)
    const location = redirect.headers.location ?? ''
    assert.equal(redirect.status, 307)
    assert.notEqual(new URL(location).host, registry.host())
    assert.equal(digestOf((await ask(location)).body), layer)
    assert.equal((await ask(location, { headers: basic('u', 'p') })).status, 400)
    assert.deepEqual(
      registry.requests().map(asked => asked.server),
      ['registry', 'storage', 'storage'],
    )
  })
})

const spoilt: readonly {
  readonly fault: Fault
  readonly check: (answer: Promise<Answered>) => Promise<void>
}[] = [
  {
    fault: { type: 'status', status: 429, retryAfterSeconds: 7 },
    check: async answer => {
      const { status, headers } = await answer
      assert.deepEqual([status, headers['retry-after']], [429, '7'])
    },
  },
  {
    fault: { type: 'cut', afterBytes: 100 },
    check: answer => assert.rejects(answer, { code: 'ECONNRESET' }),
  },
  {
    fault: { type: 'wrong-bytes' },
    check: async answer => {
      const { body } = await answer
      assert.equal(body.byteLength, layerBytes.byteLength)
      assert.notEqual(digestOf(body), layer)
    },
  },
  {
    fault: { type: 'wrong-length', delta: 10 },
    check: answer => assert.rejects(answer, { code: 'ECONNRESET' }),
  },
  {
    fault: { type: 'wrong-length', delta: -10 },
    check: async answer => {
      assert.equal((await answer).body.byteLength, layerBytes.byteLength - 10)
    },
  },
  {
    fault: { type: 'oversized', extraBytes: 1000 },
    check: async answer => {
      const { body, headers } = await answer
      assert.equal(body.byteLength, layerBytes.byteLength + 1000)
      assert.equal(headers['content-length'], String(body.byteLength))
    },
  },
  {
    fault: { type: 'header', name: 'Docker-Content-Digest', value: 'sha256:lie' },
    check: async answer => {
      assert.equal((await answer).headers['docker-content-digest'], 'sha256:lie')
    },
  },
  {
    fault: { type: 'slow', pieceBytes: 4000, pauseMs: 1 },
    check: async answer => {
      assert.equal(digestOf((await answer).body), layer)
    },
  },
]

for (const { fault, check } of spoilt) {
  test(`fault: ${JSON.stringify(fault)}`, async () => {
    await withRegistry({}, async (registry, url) => {
      registry.faults.add({ kind: 'blob', fault, times: 1 })
      assert.equal((await ask(url + manifestPath)).status, 200)
      await check(ask(url + blobPath))
      assert.equal(digestOf((await ask(url + blobPath)).body), layer)
    })
  })
}

for (const type of ['stalled', 'never-answers'] as const) {
  test(`fault: ${type} lasts until the registry stops`, async () => {
    const registry = createRegistry()
    await registry.start()
    registry.put('team/app', '1', image)
    registry.faults.add({ kind: 'manifest', fault: { type }, pathPart: '/1' })
    const answer = ask(`http://${registry.host()}${manifestPath}`).catch((err: unknown) => err)
    // A later request that is answered: the one before has been taken.
    assert.equal((await ask(`http://${registry.host()}/v2/`)).status, 200)
    await registry.stop()
    assert.ok((await answer) instanceof Error)
  })
}

test('rules of faults: method, part of the path, number of times, clear', () => {
  const faults = createFaults()
  const fault: Fault = { type: 'status', status: 500 }
  const take = (method: string, path: string) => {
    return faults.take({ kind: 'manifest', name: 'n', reference: 'r' }, { method, url: path })
  }
  faults.add({ kind: 'manifest', method: 'GET', pathPart: ':2', times: 1, fault })
  assert.equal(take('HEAD', '/v2/n/manifests/:2'), undefined)
  assert.equal(take('GET', '/v2/n/manifests/:1'), undefined)
  assert.equal(take('GET', '/v2/n/manifests/:2'), fault)
  assert.equal(take('GET', '/v2/n/manifests/:2'), undefined)
  faults.add({ kind: 'manifest', fault })
  faults.clear()
  assert.equal(take('GET', '/v2/n/manifests/:2'), undefined)
})
