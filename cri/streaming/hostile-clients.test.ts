import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { createDeflate, constants as zlib } from 'node:zlib'
import fc from 'fast-check'
import { fuzzParameters } from '../grpc/testing/fuzz-parameters.ts'
import { headerDictionary } from './spdy/dictionary.ts'
import { openRawWebSocket } from './testing/raw-web-socket.ts'
import { createHeaderEncoder } from './testing/spdy-peer.ts'
import {
  eventually,
  execRequest,
  forwardRequest,
  openTestStreaming,
  request,
  type StreamingFixture,
} from './testing/streaming-fixture.ts'

const spdy = 'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n'
const processHeaders = `${spdy}X-Stream-Protocol-Version: v4.channel.k8s.io\r\n`
const forwardHeaders = `${spdy}X-Stream-Protocol-Version: portforward.k8s.io\r\n`
const webSocket =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
const settleMs = 10_000
const mebibyte = 1024 * 1024

/** Everything closes soon, and whatever was opened is closed. */
function hurry(t: TestContext): Promise<StreamingFixture> {
  return openTestStreaming(t, { streamCreationTimeoutMs: 100, idleTimeoutMs: 200 })
}

/** Sends the bytes and waits until the server hangs up. */
async function sendUntilClosed(socket: Duplex, pieces: readonly Uint8Array[]): Promise<void> {
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('the server did not hang up'))
    }, settleMs)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.once('end', () => socket.end())
  })
  socket.resume()
  for (const piece of pieces) if (!socket.destroyed) socket.write(piece)
  await closed
}

async function assertUnharmed({ server, sessions, log }: StreamingFixture): Promise<void> {
  await eventually(() => sessions.opened.every(session => session.isClosed()))
  const { socket, head } = await request(await server.urlFor(execRequest(['exit', '0'])), processHeaders)
  socket.destroy()
  assert.match(head, / 101 /)
  assert.deepEqual(
    log.lines.filter(line => line.level === 'error'),
    [],
  )
}

/** A control frame; the length is the right one unless it is said. */
function control(type: number, flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.from([0x80, 3, 0, type, flags, 0, 0, 0])
  head.writeUIntBE(payload.length, 5, 3)
  return Buffer.concat([head, payload])
}

function synStream(id: number, block: Uint8Array): Buffer {
  const head = Buffer.alloc(10)
  head.writeUInt32BE(id)
  return control(1, 0, Buffer.concat([head, block]))
}

function data(id: number, flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(id)
  head.writeUInt8(flags, 4)
  head.writeUIntBE(payload.length, 5, 3)
  return Buffer.concat([head, payload])
}

/** Two streams opened in the right way, and then anything. */
async function rightStart(headers: readonly Readonly<Record<string, string>>[]): Promise<Buffer> {
  const encode = createHeaderEncoder()
  const frames: Buffer[] = []
  for (const [index, one] of headers.entries()) frames.push(synStream(index * 2 + 1, await encode(one)))
  return Buffer.concat(frames)
}

const frames = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 12 }), fc.nat(255), fc.uint8Array({ maxLength: 40 }))
    .map(parts => control(...parts)),
  fc.tuple(fc.nat(8), fc.nat(255), fc.uint8Array({ maxLength: 40 })).map(parts => data(...parts)),
  fc.uint8Array({ maxLength: 60 }),
)

for (const { what, headers, url, streams } of [
  {
    what: 'exec',
    headers: processHeaders,
    url: () => execRequest(['cat'], { hasStdin: true }),
    streams: [
      { streamtype: 'error' },
      { streamtype: 'stdin' },
      { streamtype: 'stdout' },
      { streamtype: 'stderr' },
    ],
  },
  {
    what: 'port-forward',
    headers: forwardHeaders,
    url: () => forwardRequest(80),
    streams: [
      { streamtype: 'error', port: '80', requestid: '0' },
      { streamtype: 'data', port: '80', requestid: '0' },
    ],
  },
]) {
  test(`${what}: whatever SPDY frames come after a right start, the connection ends and nothing stays`, async t => {
    const fixture = await hurry(t)
    const start = await rightStart(streams)
    await fc.assert(
      fc.asyncProperty(fc.array(frames, { maxLength: 12 }), fc.nat(start.length), async (pieces, cut) => {
        const { socket } = await request(await fixture.server.urlFor(url()), headers)
        // Often cut, so that the garbage is within the start, too.
        await sendUntilClosed(socket, [start.subarray(0, cut % 3 === 0 ? cut : start.length), ...pieces])
      }),
      fuzzParameters(40),
    )
    await assertUnharmed(fixture)
  })
}

test('ports, request ids and kinds of streams that make no sense open nothing', async t => {
  const fixture = await hurry(t)
  const odd = fc.constantFrom(
    '',
    '0',
    '-1',
    '65536',
    '80.5',
    '1e3',
    'x',
    '0x50',
    ' 80',
    '\0',
    'a\nb',
    '9'.repeat(400),
    'data',
    'error',
  )
  await fc.assert(
    fc.asyncProperty(odd, odd, odd, async (streamtype, port, requestid) => {
      const { socket } = await request(await fixture.server.urlFor(forwardRequest()), forwardHeaders)
      await sendUntilClosed(socket, [
        await rightStart([
          { streamtype, port, requestid },
          { streamtype: 'data', port, requestid },
        ]),
      ])
    }),
    fuzzParameters(40),
  )
  await assertUnharmed(fixture)
})

test('a header block that inflates without end costs no memory', async t => {
  const fixture = await hurry(t)
  const bomb = await deflated(Buffer.alloc(64 * mebibyte))
  const before = process.memoryUsage.rss()
  for (let round = 0; round < 5; round++) {
    const { socket } = await request(await fixture.server.urlFor(execRequest(['cat'])), processHeaders)
    // A control frame is small, so the bomb is cut to what passes.
    await sendUntilClosed(socket, [synStream(1, bomb.subarray(0, 16_000))])
  }
  assert.ok(process.memoryUsage.rss() - before < 100 * mebibyte)
  await assertUnharmed(fixture)
})

async function deflated(bytes: Buffer): Promise<Buffer> {
  const deflate = createDeflate({ dictionary: headerDictionary, flush: zlib.Z_SYNC_FLUSH })
  const pieces: Buffer[] = []
  deflate.on('data', (piece: Buffer) => pieces.push(piece))
  const write = promisify((input: Buffer, done: () => void) => deflate.write(input, done))
  await write(bytes)
  deflate.destroy()
  return Buffer.concat(pieces)
}

test('whatever WebSocket frames come, masked or not, the connection ends and nothing stays', async t => {
  const fixture = await hurry(t)
  const frame = fc.oneof(
    fc
      .tuple(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 40 }))
      .map(([first, second, rest]) => Buffer.concat([Buffer.from([first, second]), rest])),
    // Larger than a message may be, as said by its head.
    fc
      .nat(15)
      .map(opcode => Buffer.from([0x80 | opcode, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
    fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes)),
  )
  const offer = `${webSocket}Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n`
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 8 }), fc.boolean(), async (pieces, isForward) => {
      const url = await fixture.server.urlFor(
        isForward ? forwardRequest(80) : execRequest(['cat'], { hasStdin: true }),
      )
      const protocol = isForward ? offer.replace('v5', 'v4') : offer
      const { socket } = await request(url, protocol, { method: 'GET' })
      await sendUntilClosed(socket, pieces)
    }),
    fuzzParameters(60),
  )
  await assertUnharmed(fixture)
})

test('SPDY in a WebSocket may be garbage, too', async t => {
  const fixture = await hurry(t)
  await fc.assert(
    fc.asyncProperty(fc.array(frames, { maxLength: 8 }), async pieces => {
      const url = await fixture.server.urlFor(forwardRequest(80))
      await sendUntilClosed(await openRawWebSocket(url, 'SPDY/3.1+portforward.k8s.io'), pieces)
    }),
    fuzzParameters(20),
  )
  await assertUnharmed(fixture)
})

test('whatever is asked of the HTTP server, it answers or hangs up, and no guess is a token', async t => {
  const fixture = await hurry(t)
  const url = new URL(await fixture.server.urlFor(execRequest(['cat'])))
  const token = url.pathname.slice('/exec/'.length)
  const paths = fc.oneof(
    fc.constantFrom(
      '/',
      '*',
      '//',
      '/exec/',
      '/exec/../exec/x',
      `/attach/${token}`,
      `/EXEC/${token}`,
      `/exec/${token}/`,
    ),
    fc.constantFrom(
      `/exec/${token.slice(1)}`,
      `/exec/${token}%00`,
      `/exec/${token.toLowerCase()}~`,
      `http://x/exec/${token}x`,
    ),
    fc.string({ maxLength: 50 }).map(text => `/exec/${encodeURIComponent(`${text}.`)}`),
  )
  const methods = fc.constantFrom('GET', 'POST', 'PUT', 'CONNECT', 'OPTIONS', 'HEAD', 'NOSUCH', 'get')
  const headers = fc.array(
    fc.constantFrom(
      ...[
        'Connection: Upgrade',
        'Upgrade: SPDY/3.1',
        'Upgrade: websocket',
        'Upgrade: h2c',
        'X-Stream-Protocol-Version: ,,,',
      ],
      ...[
        'Sec-WebSocket-Key: x',
        'Sec-WebSocket-Protocol: ,',
        'Content-Length: -1',
        'Transfer-Encoding: chunked',
      ],
      ...['Expect: 100-continue', ': x', 'A\0: b', `X: ${'x'.repeat(20_000)}`, 'Content-Length: 5'],
    ),
    { maxLength: 8 },
  )
  await fc.assert(
    fc.asyncProperty(methods, paths, headers, async (method, path, lines) => {
      const socket = connect(Number(url.port), url.hostname)
      let answer = ''
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1')
      })
      const text = [`${method} ${path} HTTP/1.1`, 'Host: x', 'Connection: close', ...lines, '', ''].join(
        '\r\n',
      )
      socket.setTimeout(settleMs / 4, () => socket.end())
      await sendUntilClosed(socket, [Buffer.from(text)])
      assert.doesNotMatch(answer, /^HTTP\/1\.1 (101|2\d\d|5\d\d)/)
      assert.ok(answer.length < 2000, answer)
    }),
    fuzzParameters(80),
  )
  assert.equal(fixture.sessions.opened.length, 0)
  await assertUnharmed(fixture)
})
