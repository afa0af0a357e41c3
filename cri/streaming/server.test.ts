import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { isKind } from '#base/errors'
import { defaultConfig } from '../config/defaults.ts'
import { createRecordingLog, makeTestDirectory } from '../testing/door-fixture.ts'
import { fakeSessions } from '../testing/fake-sessions.ts'
import { openStreamingServer } from './server.ts'
import {
  eventually,
  execRequest,
  forwardRequest,
  openTestStreaming,
  request,
} from './testing/streaming-fixture.ts'

const spdy = 'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n'
const v4 = 'X-Stream-Protocol-Version: v4.channel.k8s.io\r\n'
const webSocket =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

async function statusOf(url: string, headers: string, method?: string): Promise<string> {
  const { socket, head } = await request(url, headers, method === undefined ? {} : { method })
  socket.destroy()
  return head.split('\r\n', 1)[0] ?? ''
}

test('a URL is long, random, and good once', async t => {
  const { server } = await openTestStreaming(t)
  const url = await server.urlFor(execRequest(['sleep']))
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{32}$/)
  assert.notEqual(url, await server.urlFor(execRequest(['sleep'])))
  assert.match(await statusOf(url, spdy + v4), / 101 /)
  assert.match(await statusOf(url, spdy + v4), / 404 /)
})

test('the client gets the first of its protocols that the server knows', async t => {
  const { server } = await openTestStreaming(t)
  const url = await server.urlFor(execRequest(['sleep']))
  const many = 'X-Stream-Protocol-Version: v9.channel.k8s.io, v3.channel.k8s.io\r\n'
  const { socket, head } = await request(url, spdy + many + v4)
  socket.destroy()
  assert.match(head, /\r\nX-Stream-Protocol-Version: v3\.channel\.k8s\.io(\r\n|$)/)
})

const refusals: readonly (readonly [string, string, RegExp])[] = [
  ['no upgrade', '', / 426 /],
  ['another upgrade', 'Connection: Upgrade\r\nUpgrade: h2c\r\n', / 400 /],
  ['SPDY without a protocol', spdy, / 400 /],
  [
    'SPDY with protocols that are not known',
    `${spdy}X-Stream-Protocol-Version: v9.channel.k8s.io\r\n`,
    / 403 /,
  ],
  [
    'SPDY with the protocol of port-forward',
    `${spdy}X-Stream-Protocol-Version: portforward.k8s.io\r\n`,
    / 403 /,
  ],
  [
    'WebSocket with protocols that are not known',
    `${webSocket}Sec-WebSocket-Protocol: v9.channel.k8s.io\r\n`,
    / 403 /,
  ],
  ['WebSocket without a key', webSocket.replace(/Sec-WebSocket-Key.*\r\n/, ''), / 400 /],
]

for (const [name, headers, status] of refusals) {
  test(`${name} is refused, and the URL can still be used`, async t => {
    const { server } = await openTestStreaming(t)
    const url = await server.urlFor(execRequest(['sleep']))
    assert.match(await statusOf(url, headers, 'GET'), status)
    assert.match(await statusOf(url, spdy + v4), / 101 /)
  })
}

test('paths that are no URL of the server are not found', async t => {
  const { server } = await openTestStreaming(t)
  const url = await server.urlFor(execRequest(['sleep']))
  for (const path of [
    '/',
    '/exec/',
    '/exec/nobody',
    url.replace('/exec/', '/attach/'),
    `${url}/x`,
    '/exec/../exec/x',
  ]) {
    assert.match(await statusOf(new URL(path, url).href, spdy + v4), / 404 /, path)
    assert.match(await statusOf(new URL(path, url).href, ''), / 404 /, path)
  }
  assert.match(await statusOf(url, spdy + v4, 'DELETE'), / 405 /)
})

test('WebSocket channels need ports in the request', async t => {
  const { server } = await openTestStreaming(t)
  const offer = `${webSocket}Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n`
  assert.match(await statusOf(await server.urlFor(forwardRequest()), offer, 'GET'), / 400 /)
  const ports = Array.from({ length: 128 }, (_, index) => index + 1)
  assert.match(await statusOf(await server.urlFor(forwardRequest(...ports)), offer, 'GET'), / 400 /)
})

test('a header that is too long is refused', async t => {
  const { server } = await openTestStreaming(t)
  const url = await server.urlFor(execRequest(['sleep']))
  assert.match(await statusOf(url, `X: ${'x'.repeat(20_000)}\r\n`), / 431 /)
})

test('nothing that is sent instead of SPDY harms', async t => {
  const { server, sessions } = await openTestStreaming(t, { streamCreationTimeoutMs: 50 })
  for (const garbage of [
    'GET / HTTP/1.1\r\n\r\n',
    '\x80\x03\x00\x01\xff\xff\xff\xff',
    '\x80\x03\x00\x04\x00\x00\x00\x04\xff\xff\xff\xff',
    '\0'.repeat(100),
  ]) {
    const { socket } = await request(await server.urlFor(execRequest(['cat'])), spdy + v4)
    socket.resume()
    socket.write(Buffer.from(garbage, 'latin1'))
    await new Promise(resolve => socket.once('close', resolve))
  }
  assert.equal(sessions.opened.length, 0)
})

test('a connection on which nothing moves is closed', async t => {
  const { server, sessions } = await openTestStreaming(t, { idleTimeoutMs: 50 })
  const { socket } = await request(await server.urlFor(execRequest(['sleep'])), spdy + v4)
  socket.resume()
  await new Promise(resolve => socket.once('close', resolve))
  assert.equal(sessions.opened.length, 0)
})

test('a port that is in use is an error that names it', async t => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  t.after(() => other.close())
  const address = other.address()
  assert.ok(typeof address === 'object' && address)
  const config = { ...defaultConfig.streaming, port: address.port }
  await assert.rejects(
    openStreamingServer({ config, sessions: fakeSessions, log: createRecordingLog() }),
    (err: unknown) =>
      isKind(err, 'failed-precondition') && /127\.0\.0\.1 port \d+: EADDRINUSE/.test(err.message),
  )
})

test('after the stop nobody listens', async t => {
  const { server } = await openTestStreaming(t)
  const url = await server.urlFor(execRequest(['sleep']))
  const { socket } = await request(url, spdy + v4)
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.resume()
  await server.stop()
  await closed
  await assert.rejects(request(url, spdy + v4), /ECONNREFUSED/)
})

/** Makes NAME.crt and NAME.key in the directory, for 127.0.0.1, signed by itself. */
async function makeCertificate(
  directory: string,
  name: string,
): Promise<{ certFile: string; keyFile: string }> {
  const certFile = join(directory, `${name}.crt`)
  const keyFile = join(directory, `${name}.key`)
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    ...key,
    ...subject,
    '-keyout',
    keyFile,
    '-out',
    certFile,
  ])
  return { certFile, keyFile }
}

async function openTls(t: TestContext) {
  const directory = await makeTestDirectory(t)
  const files = await makeCertificate(directory, 'one')
  const tls = { ...files, clientCaFile: '', minVersion: 'TLSv1.2' } as const
  return { directory, files, tls }
}

/** Name in the certificate that the server shows. */
async function subjectAt(url: string, headers = spdy + v4): Promise<string> {
  const { socket, head } = await request(url, headers, { tls: { rejectUnauthorized: false } })
  assert.ok(socket instanceof TLSSocket)
  const subject = String(socket.getPeerCertificate().subject.CN)
  socket.destroy()
  assert.match(head, / 101 /)
  return subject
}

test('TLS: a renewed certificate is shown by the next URL, a broken one is not', async t => {
  const { directory, files, tls } = await openTls(t)
  const { server, log } = await openTestStreaming(t, { tls })
  const url = await server.urlFor(execRequest(['sleep']))
  assert.match(url, /^https:/)
  assert.equal(await subjectAt(url), 'one')

  const next = await makeCertificate(directory, 'two')
  await rename(next.certFile, files.certFile)
  assert.equal(
    await subjectAt(await server.urlFor(execRequest(['sleep']))),
    'one',
    'the key is still the old one',
  )
  assert.equal(await subjectAt(await server.urlFor(execRequest(['sleep']))), 'one')
  assert.equal(log.lines.filter(line => line.level === 'warn').length, 1, 'said once')

  await rename(next.keyFile, files.keyFile)
  assert.equal(await subjectAt(await server.urlFor(execRequest(['sleep']))), 'two')
})

test('TLS: a client without a certificate of the right authority is not served', async t => {
  const { directory, tls } = await openTls(t)
  const client = await makeCertificate(directory, 'client')
  const { server } = await openTestStreaming(t, { tls: { ...tls, clientCaFile: client.certFile } })
  const url = await server.urlFor(execRequest(['sleep']))
  await assert.rejects(subjectAt(url))
  const identity = { cert: await readFile(client.certFile), key: await readFile(client.keyFile) }
  const { socket, head } = await request(url, spdy + v4, { tls: { rejectUnauthorized: false, ...identity } })
  socket.destroy()
  assert.match(head, / 101 /)
})

test('TLS: versions below the least are refused', async t => {
  const { tls } = await openTls(t)
  const { server } = await openTestStreaming(t, { tls: { ...tls, minVersion: 'TLSv1.3' } })
  const url = await server.urlFor(execRequest(['sleep']))
  await assert.rejects(request(url, spdy + v4, { tls: { rejectUnauthorized: false, maxVersion: 'TLSv1.2' } }))
  assert.equal(await subjectAt(url), 'one')
})

test('TLS: files that are no certificate stop the start, and are named', async t => {
  const { directory, files, tls } = await openTls(t)
  const wrong = join(directory, 'wrong')
  await writeFile(wrong, 'not PEM')
  for (const change of [{ certFile: wrong }, { keyFile: wrong }, { certFile: `${files.certFile}.missing` }]) {
    const config = { ...defaultConfig.streaming, tls: { ...tls, ...change } }
    await assert.rejects(
      openStreamingServer({ config, sessions: fakeSessions, log: createRecordingLog() }),
      (err: unknown) => isKind(err, 'invalid-argument') && err.message.includes(directory),
    )
  }
})

test('a session over TLS works like any other', async t => {
  const { tls } = await openTls(t)
  const { server, sessions } = await openTestStreaming(t, { tls })
  const url = await server.urlFor(execRequest(['sleep']))
  const { socket } = await request(url, webSocket, { method: 'GET', tls: { rejectUnauthorized: false } })
  await eventually(() => sessions.opened.length === 1)
  socket.destroy()
  await eventually(() => sessions.opened[0]?.isClosed() === true)
})
