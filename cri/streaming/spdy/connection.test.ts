import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '#base/log'
import { tcpPair } from '../../testing/fake-sessions.ts'
import { createSpdyPeer, type SpdyPeer } from '../testing/spdy-peer.ts'
import { eventually } from '../testing/streaming-fixture.ts'
import { openSpdyConnection, type SpdyConnection } from './connection.ts'
import { encodeControl, frameType } from './frames.ts'
import { spdyLimits } from './limits.ts'
import type { SpdyStream } from './stream.ts'

interface Fixture {
  readonly connection: SpdyConnection
  readonly streams: SpdyStream[]
  readonly peer: SpdyPeer
  readonly transport: Duplex
}

async function open(t: TestContext | undefined): Promise<Fixture> {
  const [near, far] = await tcpPair()
  t?.after(() => {
    near.destroy()
    far.destroy()
  })
  const streams: SpdyStream[] = []
  const connection = openSpdyConnection({
    transport: near,
    log: silentLog,
    onStream(stream) {
      streams.push(stream)
      return undefined
    },
  })
  return { connection, streams, peer: createSpdyPeer(far), transport: near }
}

const goAway = (status: number) => (one: { type: number | undefined; payload: Buffer }) =>
  one.type === frameType.goAway && one.payload.readUInt32BE(4) === status

test('a stream is answered, carries data both ways, and each half ends on its own', async t => {
  const { peer, streams, connection } = await open(t)
  await peer.open(1, { streamType: 'data', port: '80' })
  await peer.received(one => one.type === frameType.synReply && one.id === 1)
  const [stream] = streams
  assert.ok(stream)
  assert.deepEqual(Object.fromEntries(stream.headers), { streamtype: 'data', port: '80' })
  peer.data(1, 'to the server', 1)
  const received = []
  for await (const chunk of stream.channel.iterator({ destroyOnReturn: false })) received.push(String(chunk))
  assert.equal(received.join(''), 'to the server')
  stream.channel.end('to the client')
  await peer.endOf(1)
  assert.equal(peer.dataOf(1).toString(), 'to the client')
  await connection.finish()
  assert.ok(connection.gone.aborted)
})

test('a stream that ends with its opening has no input', async t => {
  const { peer, streams } = await open(t)
  await peer.open(1, {}, 1)
  await eventually(() => streams.length === 1)
  const [stream] = streams
  assert.ok(stream)
  const input = await stream.channel.iterator({ destroyOnReturn: false }).next()
  assert.equal(input.done, true)
  stream.channel.end('x')
  await peer.endOf(1)
})

test('pings of the client are answered, our own are not', async t => {
  const { peer } = await open(t)
  peer.send(encodeControl(frameType.ping, [4]))
  peer.send(encodeControl(frameType.ping, [7]))
  await peer.received(one => one.type === frameType.ping)
  assert.deepEqual(
    peer.frames.filter(one => one.type === frameType.ping).map(one => one.id),
    [7],
  )
})

test('data of a stream that was never opened resets it; of one that is over it is dropped', async t => {
  const { peer, streams } = await open(t)
  peer.data(5, 'nobody')
  await peer.received(one => one.type === frameType.rstStream && one.id === 5)
  await peer.open(7, {})
  await eventually(() => streams.length === 1)
  streams[0]?.channel.destroy()
  await peer.received(one => one.type === frameType.rstStream && one.id === 7)
  peer.data(7, 'too late')
  peer.send(encodeControl(frameType.ping, [1]))
  await peer.received(one => one.type === frameType.ping)
  assert.equal(peer.frames.filter(one => one.type === frameType.rstStream).length, 2)
})

test('a reset of the client is an error of the stream', async t => {
  const { peer, streams } = await open(t)
  await peer.open(1, {})
  await eventually(() => streams.length === 1)
  const failed = new Promise(resolve => streams[0]?.channel.once('error', resolve))
  peer.send(encodeControl(frameType.rstStream, [1, 5]))
  assert.match(String(await failed), /the client has reset stream 1/)
})

test('more streams than the limit are refused, and there is room again when some are over', async t => {
  const { peer, streams } = await open(t)
  const id = (index: number) => 2 * index + 1
  for (let index = 0; index <= spdyLimits.streams; index++) await peer.open(id(index), {})
  const refused = await peer.received(one => one.type === frameType.rstStream)
  assert.equal(refused.id, id(spdyLimits.streams))
  assert.equal(refused.payload.readUInt32BE(4), 3)
  streams[0]?.channel.destroy()
  await peer.open(id(spdyLimits.streams + 1), {})
  await peer.received(one => one.type === frameType.synReply && one.id === id(spdyLimits.streams + 1))
})

for (const [name, ids] of [
  ['an even id', [2]],
  ['an id that is not larger', [3, 1]],
  ['the same id', [1, 1]],
] as const) {
  test(`a stream with ${name} ends the connection`, async t => {
    const { peer, connection } = await open(t)
    for (const id of ids) await peer.open(id, {})
    await peer.received(goAway(1))
    await peer.closed
    await eventually(() => connection.gone.aborted)
  })
}

test('a reader that does not read stops the sender, and loses nothing', async t => {
  const { peer, streams } = await open(t)
  await peer.open(1, {})
  await eventually(() => streams.length === 1)
  const channel = streams[0]?.channel
  assert.ok(channel)
  const sent = 16 * 1024 * 1024
  peer.data(1, Buffer.alloc(sent / 2, 'x'))
  peer.data(1, Buffer.alloc(sent / 2, 'x'), 1)
  await eventually(() => channel.readableLength >= spdyLimits.queuedBytes)
  assert.ok(channel.readableLength < 2 * spdyLimits.queuedBytes + 65_536, String(channel.readableLength))
  assert.ok(peer.transport.writableLength > 0)
  let received = 0
  for await (const chunk of channel) received += (chunk as Buffer).length
  assert.equal(received, sent)
})

test('a client that does not read stops the writer', async t => {
  const { peer, streams, transport } = await open(t)
  await peer.open(1, {})
  await eventually(() => streams.length === 1)
  peer.transport.pause()
  const channel = streams[0]?.channel
  assert.ok(channel)
  let accepted = 0
  const write = () => {
    channel.write(Buffer.alloc(64 * 1024), err => {
      if (err) return
      accepted++
      write()
    })
  }
  write()
  await eventually(() => transport.writableNeedDrain)
  assert.ok(transport.writableLength < 256 * 1024, String(transport.writableLength))
  assert.ok(accepted * 64 * 1024 < 64 * 1024 * 1024)
  peer.transport.destroy()
  await eventually(() => channel.destroyed)
})

test('a client that asks and does not listen is not listened to', async t => {
  const { peer, transport } = await open(t)
  peer.transport.pause()
  const pings = Buffer.concat(
    Array.from({ length: 5_000 }, (_, index) => encodeControl(frameType.ping, [2 * index + 1])),
  )
  for (let count = 0; count < 200; count++) peer.send(pings)
  await eventually(() => transport.writableLength > spdyLimits.unsentReplyBytes)
  await eventually(() => peer.transport.writableLength > 0)
  assert.ok(
    transport.writableLength < spdyLimits.unsentReplyBytes + 128 * 1024,
    String(transport.writableLength),
  )
})

test('a peer with flow control is sent no more than its windows, and has ours opened', async t => {
  const { peer, streams } = await open(t)
  peer.send(encodeControl(frameType.settings, [1, 7, 10]))
  await peer.open(1, {})
  await eventually(() => streams.length === 1)
  const channel = streams[0]?.channel
  assert.ok(channel)
  channel.end(Buffer.from('0123456789abcdefghij!'))
  await peer.received(one => one.type === undefined && one.id === 1)
  peer.send(encodeControl(frameType.ping, [1]))
  await peer.received(one => one.type === frameType.ping)
  assert.equal(peer.dataOf(1).toString(), '0123456789')
  peer.send(encodeControl(frameType.windowUpdate, [1, 10]))
  await peer.received(() => peer.dataOf(1).length === 20)
  peer.send(encodeControl(frameType.settings, [1, 7, 11]))
  await peer.endOf(1)
  assert.equal(peer.dataOf(1).toString(), '0123456789abcdefghij!')
  peer.data(1, 'xyz')
  const opened = (id: number) => (one: { type: number | undefined; id: number; payload: Buffer }) =>
    one.type === frameType.windowUpdate && one.id === id && one.payload.readUInt32BE(4) === 3
  await peer.received(opened(1))
  await peer.received(opened(0))
})

test('the window of the session counts for all streams together', async t => {
  const { peer, streams } = await open(t)
  peer.send(encodeControl(frameType.settings, [1, 7, 1024 * 1024]))
  peer.send(encodeControl(frameType.windowUpdate, [0, 1]))
  await peer.open(1, {})
  await peer.open(3, {})
  await eventually(() => streams.length === 2)
  for (const { channel } of streams) channel.write(Buffer.alloc(40_000))
  const total = () => peer.dataOf(1).length + peer.dataOf(3).length
  await peer.received(() => total() === 65_537)
  peer.send(encodeControl(frameType.windowUpdate, [0, 100_000]))
  await peer.received(() => total() === 80_000)
})

test('windows of more than 2 GiB end the connection', async t => {
  const { peer } = await open(t)
  peer.send(encodeControl(frameType.windowUpdate, [0, 0x7fffffff]))
  await peer.received(goAway(1))
})

test('any frames are answered or end the connection, and nothing stays behind', async () => {
  const id = fc.integer({ min: 0, max: 8 })
  const control = fc
    .record({
      type: fc.integer({ min: 0, max: 11 }),
      flags: fc.integer({ min: 0, max: 3 }),
      id,
      rest: fc.uint8Array({ maxLength: 24 }),
    })
    .map(({ type, flags, id, rest }) => ({
      bytes: encodeControl(type, [id], { flags, bytes: Buffer.from(rest) }),
    }))
  const stream = fc.record({
    open: id,
    headers: fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), { maxKeys: 3 }),
  })
  const data = fc.record({
    data: id,
    text: fc.string({ maxLength: 20 }),
    flags: fc.integer({ min: 0, max: 1 }),
  })
  const garbage = fc.uint8Array({ maxLength: 30 }).map(bytes => ({ bytes: Buffer.from(bytes) }))
  const step = fc.oneof(
    { weight: 5, arbitrary: stream },
    { weight: 5, arbitrary: data },
    { weight: 3, arbitrary: control },
    garbage,
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
      const { peer, connection, streams, transport } = await open(undefined)
      for (const one of steps) {
        if ('bytes' in one) peer.send(one.bytes)
        else if ('open' in one) await peer.open(one.open, one.headers)
        else peer.data(one.data, one.text, one.flags)
      }
      peer.transport.end()
      await peer.closed
      await eventually(() => connection.gone.aborted)
      assert.ok(transport.destroyed)
      assert.ok(streams.every(({ channel }) => channel.destroyed || channel.readableEnded))
    }),
    { numRuns: 150 },
  )
})
