import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { floodChunk } from '../testing/fake-sessions.ts'
import { createSpdyPeer, type SpdyPeer } from './testing/spdy-peer.ts'
import {
  eventually,
  execRequest,
  openTestStreaming,
  request,
  type StreamingFixture,
} from './testing/streaming-fixture.ts'

const mebibyte = 1024 * 1024

/** Less would be a defect on any machine: the bar of the project. */
const leastBytesPerSecond = 16 * mebibyte

const transports = ['SPDY', 'WebSocket'] as const

/** Counts and hashes what a command writes. */
async function download(door: StreamingFixture, transport: string, bytes: number): Promise<string> {
  const hash = createHash('sha256')
  const command = execRequest(['flood', String(bytes)])
  const url = await door.server.urlFor(command)
  if (transport === 'WebSocket') {
    const peer = await door.webSocket(url, ['v5.channel.k8s.io'])
    await peer.closed
    hash.update(peer.channel(1))
  } else {
    const peer = await openStreams(door, url)
    await peer.closed
    hash.update(peer.dataOf(3))
  }
  return hash.digest('hex')
}

async function openStreams(door: StreamingFixture, url: string, hasStdin = false): Promise<SpdyPeer> {
  const peer = await door.spdy(url, ['v4.channel.k8s.io'])
  await peer.open(1, { streamType: 'error' })
  await peer.open(3, { streamType: 'stdout' })
  await peer.open(5, { streamType: 'stderr' })
  if (hasStdin) await peer.open(7, { streamType: 'stdin' })
  return peer
}

function floodDigest(bytes: number): string {
  const hash = createHash('sha256')
  for (let offset = 0; offset < bytes; offset += floodChunk.length)
    hash.update(floodChunk.subarray(0, bytes - offset))
  return hash.digest('hex')
}

for (const transport of transports) {
  test(`${transport}: output of 64 MiB arrives whole, at ${String(leastBytesPerSecond / mebibyte)} MiB/s or more`, async t => {
    const door = await openTestStreaming(t)
    const bytes = 64 * mebibyte
    const startMs = performance.now()
    const digest = await download(door, transport, bytes)
    const bytesPerSecond = (1000 * bytes) / (performance.now() - startMs)
    assert.equal(digest, floodDigest(bytes))
    t.diagnostic(`${(bytesPerSecond / mebibyte).toFixed(0)} MiB/s`)
    assert.ok(bytesPerSecond > leastBytesPerSecond)
  })
}

test('SPDY: input of 64 MiB arrives whole', async t => {
  const door = await openTestStreaming(t)
  const peer = await openStreams(
    door,
    await door.server.urlFor(execRequest(['digest'], { hasStdin: true })),
    true,
  )
  const hash = createHash('sha256')
  const startMs = performance.now()
  for (let count = 0; count < 64; count++) {
    const data = Buffer.alloc(mebibyte, count)
    hash.update(data)
    peer.data(7, data, count === 63 ? 1 : 0)
    if (peer.transport.writableNeedDrain) await new Promise(resolve => peer.transport.once('drain', resolve))
  }
  await peer.closed
  assert.equal(peer.dataOf(3).toString(), hash.digest('hex'))
  t.diagnostic(`${((1000 * 64) / (performance.now() - startMs)).toFixed(0)} MiB/s`)
})

test('a client that does not read holds the process back, and fills no memory', async t => {
  const door = await openTestStreaming(t)
  const url = await door.server.urlFor(execRequest(['flood', String(10 * 1024 * mebibyte)]))
  const { socket } = await request(
    url,
    'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n',
  )
  t.after(() => socket.destroy())
  const peer = createSpdyPeer(socket)
  for (const [id, streamType] of [
    [1, 'error'],
    [3, 'stdout'],
    [5, 'stderr'],
  ] as const)
    await peer.open(id, { streamType })
  socket.pause()
  await eventually(() => door.sessions.opened.length === 1)
  const session = door.sessions.opened[0]
  assert.ok(session)
  let before = -1
  await eventually(() => {
    const stands = before === session.written() && before > 0
    before = session.written()
    return stands
  })
  const rssBefore = process.memoryUsage.rss()
  const stoodAt = session.written()
  await new Promise(resolve => setTimeout(resolve, 300))
  assert.equal(session.written(), stoodAt)
  assert.ok(stoodAt < 32 * mebibyte, `the process could write ${String(stoodAt)} bytes`)
  assert.ok(process.memoryUsage.rss() - rssBefore < 16 * mebibyte)
  socket.destroy()
  await eventually(() => session.isClosed())
})

test('the server stops although a client floods a process that does not read', async t => {
  const door = await openTestStreaming(t)
  const peer = await openStreams(
    door,
    await door.server.urlFor(execRequest(['deaf'], { hasStdin: true })),
    true,
  )
  for (let count = 0; count < 32; count++) peer.data(7, Buffer.alloc(mebibyte))
  await eventually(() => peer.transport.writableLength > 0 && door.sessions.opened.length === 1)
  await door.server.stop()
  await eventually(() => door.sessions.opened[0]?.isClosed() === true)
})
