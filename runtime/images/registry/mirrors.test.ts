import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import type { RegistryAuth } from '../../model/image.ts'
import { makeImage } from '../testing/image-builder.ts'
import { cutAfter, type Interference, startRegistry, type TestRegistry } from '../testing/registry.ts'
import { type StoreBench, startStore } from '../testing/store.ts'

let bench: StoreBench
let mirror: TestRegistry
let upstream: TestRegistry

before(async () => {
  mirror = await startRegistry()
  upstream = await startRegistry()
  bench = await startStore()
})

after(async () => {
  await bench.close()
  await mirror.close()
  await upstream.close()
})

afterEach(async () => {
  for (const image of bench.store.list()) await bench.store.remove(bench.ctx, image.id)
  await rm(bench.certsDir, { recursive: true })
  await mkdir(bench.certsDir)
  mirror.interfere(() => false)
  upstream.interfere(() => false)
})

const image = makeImage({ layers: [[{ name: 'file' }]] })
const auth: RegistryAuth = {
  username: 'me',
  password: 'secret',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
}

async function configure(directory: string, text: string): Promise<void> {
  await mkdir(join(bench.certsDir, directory), { recursive: true })
  await writeFile(join(bench.certsDir, directory, 'hosts.toml'), text)
}

const pull = (reference: string, credentials?: RegistryAuth) =>
  bench.store.pull(bench.ctx, { reference, auth: credentials })

test('registry.k8s.io comes from a mirror on loopback, under its own name', async () => {
  mirror.addImage('pause', '3.9', image)
  await configure('registry.k8s.io', `server = "http://${mirror.host}"\n`)
  assert.equal(await pull('registry.k8s.io/pause:3.9'), image.id)
  assert.deepEqual(bench.store.find(image.id)?.repoTags, ['registry.k8s.io/pause:3.9'])
  assert.ok(mirror.requests.at(-1)?.url.endsWith('?ns=registry.k8s.io'))
})

for (const directory of ['reg.example_5000_', 'reg.example:5000', '_default']) {
  test(`the directory ${directory} counts for reg.example:5000`, async () => {
    mirror.addImage('app', 'latest', image)
    await configure(directory, `[host."http://${mirror.host}"]\n`)
    assert.equal(await pull('reg.example:5000/app'), image.id)
  })
}

test('a mirror that is down or lacks the image is passed over for the next', async () => {
  const gone = await startRegistry()
  await gone.close()
  upstream.addImage('app', 'latest', image)
  await configure(
    'reg.example',
    `server = "http://${upstream.host}"\n[host."http://${gone.host}"]\n[host."http://${mirror.host}"]\n`,
  )
  const asked = mirror.requests.length
  mirror.interfere((_, response) => {
    response.writeHead(404).end()
    return true
  })
  assert.equal(await pull('reg.example/app'), image.id)
  assert.ok(mirror.requests.length > asked)
})

test('a mirror that lies about a layer is passed over for the next', async () => {
  mirror.addImage('app', 'latest', image)
  upstream.addImage('app', 'latest', image)
  mirror.interfere((request, response) => {
    if (!request.url.includes(image.layers[0]?.digest ?? '')) return false
    response.end(Buffer.alloc(image.layers[0]?.size ?? 0))
    return true
  })
  await configure('reg.example', `server = "http://${upstream.host}"\n[host."http://${mirror.host}"]\n`)
  assert.equal(await pull('reg.example/app'), image.id)
})

test('a mirror that cuts off wrong bytes does not spoil what the next one sends', async () => {
  // Longer than what may lie unread in a buffer when the connection is cut.
  const entry = { name: 'big', content: Buffer.alloc(400_000, 'a') }
  const big = makeImage({ layers: [[entry]], compress: tar => tar })
  mirror.addImage('app', 'latest', big)
  upstream.addImage('app', 'latest', big)
  const layer = big.layers[0]
  assert.ok(layer)
  mirror.interfere((request, response) => {
    if (!request.url.includes(layer.digest)) return false
    cutAfter(200_000, response, { ...layer, bytes: Buffer.alloc(layer.size, 'x') })
    return true
  })
  await configure('reg.example', `server = "http://${upstream.host}"\n[host."http://${mirror.host}"]\n`)
  const asked = upstream.requests.length
  assert.equal(await pull('reg.example/app'), big.id)
  const ranges = upstream.requests.slice(asked).filter(request => request.url.includes(layer.digest))
  assert.deepEqual(
    ranges.map(request => request.headers.range !== undefined),
    [true, false],
  )
})

test('a mirror without the capability to resolve is not asked what a tag means', async () => {
  const other = makeImage({ layers: [[{ name: 'other' }]] })
  mirror.addImage('app', 'latest', other)
  mirror.addImage('app', 'same', image)
  upstream.addImage('app', 'latest', image)
  await configure(
    'reg.example',
    `server = "http://${upstream.host}"\n[host."http://${mirror.host}"]\ncapabilities = ["pull"]\n`,
  )
  const asked = mirror.requests.length
  assert.equal(await pull('reg.example/app'), image.id)
  const urls = mirror.requests.slice(asked).map(request => request.url)
  assert.ok(urls.some(url => url.includes(image.layers[0]?.digest ?? '')))
  assert.ok(!urls.some(url => url.includes('latest')))
})

test('the word of the registry itself decides, and all are named', async () => {
  mirror.interfere((_, response) => {
    response.writeHead(403).end()
    return true
  })
  await configure('reg.example', `server = "http://${upstream.host}"\n[host."http://${mirror.host}"]\n`)
  await assert.rejects(pull('reg.example/nothing'), (err: Error & { kind?: string }) => {
    assert.equal(err.kind, 'not-found')
    assert.ok(err.message.includes(mirror.host) && err.message.includes(upstream.host))
    return true
  })
})

test('the credentials of a pull go to the registry, not to its mirrors; headers go to their own host', async () => {
  const wantBasic = (seen: string[]): Interference => {
    return (request, response) => {
      seen.push(request.headers.authorization ?? '')
      if (request.headers.authorization !== undefined) return false
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      return true
    }
  }
  const atMirror: string[] = []
  const atUpstream: string[] = []
  mirror.interfere(wantBasic(atMirror))
  upstream.interfere(wantBasic(atUpstream))
  upstream.addImage('app', 'latest', image)
  const hosts = `server = "http://${upstream.host}"\n[host."http://${mirror.host}"]\n`
  await configure('reg.example', hosts)
  assert.equal(await pull('reg.example/app', auth), image.id)
  assert.deepEqual(new Set(atMirror), new Set(['']))
  assert.ok(atUpstream.some(header => header.startsWith('Basic ')))

  await bench.store.remove(bench.ctx, image.id)
  mirror.addImage('app', 'latest', image)
  await configure(
    'reg.example',
    `${hosts}[host."http://${mirror.host}".header]\nAuthorization = "Custom x"\n`,
  )
  assert.equal(await pull('reg.example/app', auth), image.id)
  assert.ok(atMirror.includes('Custom x'))
})

test('a broken hosts.toml fails the pull with the name of the file', async () => {
  await configure('reg.example', 'server = \n')
  await assert.rejects(pull('reg.example/app'), {
    kind: 'failed-precondition',
    message: /hosts\.toml: line 1/,
  })
})

test('a hosts.toml without any usable host fails the pull', async () => {
  await configure('reg.example', 'capabilities = ["push"]\n')
  await assert.rejects(pull('reg.example/app'), { kind: 'failed-precondition', message: /no endpoint/ })
})

test('https is verified: by a ca file, with a client certificate, or not at all if so configured', async () => {
  const pki = join(bench.certsDir, 'pki')
  await mkdir(pki)
  const openssl = (command: string) =>
    execFileSync('openssl', command.split(' '), { cwd: pki, stdio: 'ignore' })
  openssl(
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=lighter-test -addext subjectAltName=IP:127.0.0.1',
  )
  const key = await readFile(join(pki, 'key.pem'))
  const cert = await readFile(join(pki, 'cert.pem'))
  let hasClientCertificate = false
  const server = createServer(
    { key, cert, requestCert: true, ca: cert, rejectUnauthorized: false },
    (request, response) => {
      const { socket } = request
      hasClientCertificate ||= 'authorized' in socket && socket.authorized === true
      const blobs = [image.manifest, image.config, ...image.layers]
      const name = request.url?.split('?')[0]?.split('/').at(-1) ?? ''
      const blob = name === 'latest' ? image.manifest : blobs.find(({ digest }) => digest === name)
      response
        .writeHead(blob ? 200 : 404, { 'content-type': blob?.mediaType ?? 'text/plain' })
        .end(blob?.bytes)
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const address = server.address()
    const url = `https://127.0.0.1:${String(typeof address === 'object' && address ? address.port : 0)}`
    await configure('reg.example', `server = "${url}"\n`)
    await assert.rejects(pull('reg.example/app'), { kind: 'registry-unavailable', message: /self-signed/ })
    const trusted = [
      `server = "${url}"\nca = "${pki}/cert.pem"\n`,
      `server = "${url}"\nskip_verify = true\n`,
      `server = "${url}"\nca = "../pki/cert.pem"\nclient = [["../pki/cert.pem", "../pki/key.pem"]]\n`,
    ]
    for (const text of trusted) {
      assert.equal(hasClientCertificate, false)
      await configure('reg.example', text)
      assert.equal(await pull('reg.example/app'), image.id)
      await bench.store.remove(bench.ctx, image.id)
    }
    assert.equal(hasClientCertificate, true)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
