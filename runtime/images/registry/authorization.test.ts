import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { RegistryAuth } from '../../model/image.ts'
import { makeImage, type TestBlob } from '../testing/image-builder.ts'
import { type Interference, type SeenRequest, startRegistry, type TestRegistry } from '../testing/registry.ts'
import { type StoreBench, startStore } from '../testing/store.ts'

let bench: StoreBench
let registry: TestRegistry
let elsewhere: TestRegistry
/** Moves the store's clock. */
let skippedNs = 0n

before(async () => {
  registry = await startRegistry()
  elsewhere = await startRegistry()
  let last = 0n
  const now = () => (last = last + 1n)
  bench = await startStore({
    deps: { clock: { now: () => now() + skippedNs, sleep: () => Promise.resolve() } },
  })
})

after(async () => {
  await bench.close()
  await registry.close()
  await elsewhere.close()
})

afterEach(async () => {
  for (const image of bench.store.list()) await bench.store.remove(bench.ctx, image.id)
  registry.interfere(() => false)
  elsewhere.interfere(() => false)
})

const image = makeImage({ layers: [[{ name: 'one' }], [{ name: 'two' }], [{ name: 'three' }]] })
const [layer] = image.layers as [TestBlob]
const noAuth: RegistryAuth = {
  username: '',
  password: '',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
}
const user = { ...noAuth, username: 'me', password: 'secret' }
const basicHeader = `Basic ${Buffer.from('me:secret').toString('base64')}`

function pull(auth: RegistryAuth | undefined): Promise<string> {
  registry.addImage('private/app', 'latest', image)
  return bench.store.pull(bench.ctx, { reference: `${registry.host}/private/app`, auth })
}

interface TokenServer {
  readonly issued: SeenRequest[]
  interference: Interference
}

/** The registry wants bearer tokens, which it issues itself; each is good until `isStale` says no. */
function tokenServer(input: {
  readonly mayHaveToken: (request: SeenRequest) => boolean
  readonly isGood?: (token: string, request: SeenRequest) => boolean
  readonly expiresIn?: number
}): TokenServer {
  const issued: SeenRequest[] = []
  return {
    issued,
    interference(request, response) {
      if (request.url.startsWith('/token')) {
        if (!input.mayHaveToken(request)) {
          response.writeHead(401).end('{"details":"incorrect username or password"}')
          return true
        }
        issued.push(request)
        const body = { token: `t${String(issued.length)}`, expires_in: input.expiresIn ?? 300 }
        response.end(JSON.stringify(body))
        return true
      }
      const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
      if (
        issued.some((_, index) => token === `t${String(index + 1)}`) &&
        (input.isGood?.(token, request) ?? true)
      ) {
        return false
      }
      const realm = `http://${registry.host}/token`
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="reg"` }).end()
      return true
    },
  }
}

test('an anonymous token is fetched once and used for everything', async () => {
  const server = tokenServer({ mayHaveToken: request => request.headers.authorization === undefined })
  registry.interfere(server.interference)
  assert.equal(await pull(undefined), image.id)
  assert.deepEqual(
    server.issued.map(request => request.url),
    ['/token?service=reg&scope=repository%3Aprivate%2Fapp%3Apull'],
  )
})

test('a token for a user is asked for with Basic, and the password goes nowhere else', async () => {
  const server = tokenServer({ mayHaveToken: request => request.headers.authorization === basicHeader })
  registry.interfere(server.interference)
  const asked = registry.requests.length
  assert.equal(await pull(user), image.id)
  for (const request of registry.requests.slice(asked)) {
    if (!request.url.startsWith('/token')) assert.ok(!request.headers.authorization?.startsWith('Basic'))
  }
})

test('an identity token is traded for a bearer token', async () => {
  const server = tokenServer({
    mayHaveToken({ method, body }) {
      const form = new URLSearchParams(body)
      return (
        method === 'POST' && form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === 'idt'
      )
    },
  })
  registry.interfere(server.interference)
  assert.equal(await pull({ ...noAuth, identityToken: 'idt' }), image.id)
  assert.equal(new URLSearchParams(server.issued[0]?.body).get('scope'), 'repository:private/app:pull')
})

test('a registry token is sent as it is', async () => {
  registry.interfere((request, response) => {
    if (request.headers.authorization === 'Bearer rt') return false
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` }).end()
    return true
  })
  assert.equal(await pull({ ...noAuth, registryToken: 'rt' }), image.id)
  await bench.store.remove(bench.ctx, image.id)
  await assert.rejects(pull({ ...noAuth, registryToken: 'wrong' }), { kind: 'unauthenticated' })
})

test('Basic is answered with Basic', async () => {
  registry.interfere((request, response) => {
    if (request.headers.authorization === basicHeader) return false
    response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
    return true
  })
  assert.equal(await pull(user), image.id)
  await bench.store.remove(bench.ctx, image.id)
  await assert.rejects(pull({ ...user, password: 'wrong' }), (err: Error & { kind?: string }) => {
    assert.equal(err.kind, 'unauthenticated')
    assert.ok(!err.message.includes('wrong'))
    return true
  })
  await assert.rejects(pull(undefined), { kind: 'unauthenticated', message: /needs credentials/ })
})

test('a token whose time is up is renewed before it is sent', async () => {
  const server = tokenServer({
    mayHaveToken: () => true,
    expiresIn: 20,
    isGood: token => token === `t${String(server.issued.length)}`,
  })
  let refused = 0
  registry.interfere((request, response) => {
    if (request.url.includes('/blobs/')) skippedNs += 60_000_000_000n
    const answered = server.interference(request, response)
    if (answered && !request.url.startsWith('/token')) refused++
    return answered
  })
  assert.equal(await pull(undefined), image.id)
  assert.ok(server.issued.length >= 2)
  assert.ok(refused <= 4, 'at most the first request, and those that were under way, were refused')
})

test('a token that the registry no longer takes is replaced once for all requests', async () => {
  const server = tokenServer({
    mayHaveToken: () => true,
    isGood: (token, request) => token === (request.url.includes('/manifests/') ? 't1' : 't2'),
  })
  registry.interfere(server.interference)
  assert.equal(await pull(undefined), image.id)
  assert.equal(server.issued.length, 2)
})

test('a registry that never takes its own tokens is unauthenticated, after few tries', async () => {
  const server = tokenServer({ mayHaveToken: () => true, isGood: () => false })
  registry.interfere(server.interference)
  await assert.rejects(pull(undefined), { kind: 'unauthenticated' })
  assert.ok(server.issued.length <= 2)
})

const oddTokens: readonly (readonly [string, string])[] = [
  ['is not JSON', 'no'],
  ['has no token', '{}'],
  ['has a token with a line break', '{"token":"a\\r\\nHost: b"}'],
  ['has a number as token', '{"token":1}'],
]

for (const [name, body] of oddTokens) {
  test(`a token answer that ${name} is refused`, async () => {
    registry.interfere((request, response) => {
      if (request.url.startsWith('/token')) response.end(body)
      else {
        response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` }).end()
      }
      return true
    })
    await assert.rejects(pull(user), { kind: 'failed-precondition' })
  })
}

for (const realm of ['', 'nonsense', 'ftp://x/', 'file:///etc/passwd']) {
  test(`the token server "${realm}" is refused`, async () => {
    registry.interfere((_, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end()
      return true
    })
    await assert.rejects(pull(user), (err: Error & { kind?: string }) =>
      ['registry-unavailable', 'permission-denied'].includes(err.kind ?? ''),
    )
  })
}

test('a redirect to another host takes no credentials along', async () => {
  elsewhere.addBlob(layer)
  registry.interfere((request, response) => {
    if (request.headers.authorization !== basicHeader) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      return true
    }
    if (!request.url.endsWith(layer.digest)) return false
    response
      .writeHead(307, { location: `http://u:p@${elsewhere.host}/v2/x/blobs/${layer.digest}?signed=1` })
      .end()
    return true
  })
  assert.equal(await pull(user), image.id)
  const seen = elsewhere.requests.filter(request => request.url.includes('signed=1'))
  assert.equal(seen.length, 1)
  assert.equal(seen[0]?.headers.authorization, undefined)
})

test('a stranger behind a redirect cannot ask for credentials', async () => {
  const asked = elsewhere.requests.length
  elsewhere.interfere((request, response) => {
    response.writeHead(401, {
      'www-authenticate': request.url.startsWith('/token')
        ? 'Basic realm="x"'
        : `Bearer realm="http://${elsewhere.host}/token"`,
    })
    response.end()
    return true
  })
  registry.interfere((request, response) => {
    if (request.headers.authorization !== basicHeader) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      return true
    }
    if (!request.url.endsWith(layer.digest)) return false
    response.writeHead(302, { location: `http://${elsewhere.host}/blob` }).end()
    return true
  })
  await assert.rejects(pull(user), { kind: 'unauthenticated' })
  for (const request of elsewhere.requests.slice(asked)) {
    assert.equal(request.headers.authorization, undefined)
    assert.ok(!request.url.startsWith('/token'))
  }
})

test('a stranger cannot send the credentials back through a second redirect', async () => {
  elsewhere.interfere((_, response) => {
    response.writeHead(302, { location: `http://${registry.host}/v2/private/app/trap` }).end()
    return true
  })
  const asked = registry.requests.length
  registry.interfere((request, response) => {
    if (request.url.endsWith('/trap')) {
      response.writeHead(404).end()
      return true
    }
    if (request.headers.authorization !== basicHeader) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      return true
    }
    if (!request.url.endsWith(layer.digest)) return false
    response.writeHead(302, { location: `http://${elsewhere.host}/blob` }).end()
    return true
  })
  await assert.rejects(pull(user), { kind: 'not-found' })
  const trapped = registry.requests.slice(asked).filter(request => request.url.endsWith('/trap'))
  assert.ok(trapped.length > 0)
  for (const request of trapped) assert.equal(request.headers.authorization, undefined)
})
