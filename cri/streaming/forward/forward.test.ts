import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { tcpPair } from '../../testing/fake-sessions.ts'
import { openRawWebSocket } from '../testing/raw-web-socket.ts'
import { createSpdyPeer, type SpdyPeer } from '../testing/spdy-peer.ts'
import {
  eventually,
  forwardRequest,
  openTestStreaming,
  type StreamingFixture,
} from '../testing/streaming-fixture.ts'

const protocol = 'portforward.k8s.io'

async function openPair(
  peer: SpdyPeer,
  { first, port, requestId }: { first: number; port: string; requestId?: string },
) {
  const id = requestId === undefined ? {} : { requestID: requestId }
  await peer.open(first, { streamType: 'error', port, ...id })
  await peer.open(first + 2, { streamType: 'data', port, ...id })
}

/** A port whose far ends the test holds. */
function listen(door: StreamingFixture, port: number): Duplex[] {
  const ends: Duplex[] = []
  door.sessions.ports.set(port, async () => {
    const [near, far] = await tcpPair()
    ends.push(far)
    far.on('error', () => undefined)
    return near
  })
  return ends
}

async function textOf(stream: Duplex): Promise<string> {
  let text = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) text += String(chunk)
  return text
}

const transports = {
  SPDY: async (door: StreamingFixture, ports: readonly number[]) =>
    door.spdy(await door.server.urlFor(forwardRequest(...ports)), [protocol]),
  'SPDY in a WebSocket': async (door: StreamingFixture, ports: readonly number[]) => {
    const url = await door.server.urlFor(forwardRequest(...ports))
    return createSpdyPeer(await openRawWebSocket(url, `SPDY/3.1+${protocol}`))
  },
}

for (const [name, open] of Object.entries(transports)) {
  test(`${name}: bytes flow both ways, and each direction ends on its own`, async t => {
    const door = await openTestStreaming(t)
    const [peer, ends] = [await open(door, []), listen(door, 80)]
    await openPair(peer, { first: 1, port: '80', requestId: '0' })
    peer.data(3, 'question', 1)
    await eventually(() => ends.length === 1)
    const [far] = ends
    assert.ok(far)
    assert.equal(await textOf(far), 'question', 'the end of the client is the end of the input')
    far.end('answer')
    await peer.endOf(3)
    await peer.endOf(1)
    assert.equal(peer.dataOf(3).toString(), 'answer')
    assert.equal(peer.dataOf(1).length, 0)
  })

  test(`${name}: many connections at once`, async t => {
    const door = await openTestStreaming(t)
    const [peer, ends] = [await open(door, []), listen(door, 80)]
    const payloads = Array.from({ length: 50 }, () => randomBytes(20_000))
    for (const [index, payload] of payloads.entries()) {
      await openPair(peer, { first: 1 + 4 * index, port: '80', requestId: String(index) })
      peer.data(3 + 4 * index, payload, 1)
    }
    await eventually(() => ends.length === payloads.length)
    for (const far of ends) far.pipe(far)
    for (const [index, payload] of payloads.entries()) {
      await peer.endOf(3 + 4 * index)
      assert.ok(peer.dataOf(3 + 4 * index).equals(payload))
    }
  })

  test(`${name}: a port on which nobody listens, and one that was not asked for`, async t => {
    const door = await openTestStreaming(t)
    listen(door, 82)
    const peer = await open(door, [81])
    await openPair(peer, { first: 1, port: '81', requestId: '0' })
    await openPair(peer, { first: 5, port: '82', requestId: '1' })
    await peer.endOf(1)
    await peer.endOf(5)
    assert.match(peer.dataOf(1).toString(), /^nothing listens on port 81 of pod sandbox p1/)
    assert.match(peer.dataOf(5).toString(), /^port 82 was not asked for/)
    assert.equal((await peer.received(one => one.type === 3 && one.id === 3)).payload.length, 8)
  })
}

test('old clients without request ids are understood by the order of their streams', async t => {
  const door = await openTestStreaming(t)
  const [peer, ends] = [await transports.SPDY(door, []), listen(door, 80)]
  await openPair(peer, { first: 1, port: '80' })
  peer.data(3, 'x', 1)
  await eventually(() => ends.length === 1)
  assert.equal(await textOf(ends[0] as Duplex), 'x')
})

test('a client that resets its data stream ends the connection to the pod', async t => {
  const door = await openTestStreaming(t)
  const [peer, ends] = [await transports.SPDY(door, []), listen(door, 80)]
  await openPair(peer, { first: 1, port: '80', requestId: '0' })
  await eventually(() => ends.length === 1)
  const closed = once(ends[0] as Duplex, 'close')
  ;(ends[0] as Duplex).resume()
  peer.send(Buffer.from('8003000300000008' + '00000003' + '00000005', 'hex'))
  await peer.endOf(1)
  ends[0]?.end()
  await closed
})

test('a connection that the pod resets resets the stream, and leaves the others alone', async t => {
  const door = await openTestStreaming(t)
  const [peer, ends] = [await transports.SPDY(door, []), listen(door, 80)]
  await openPair(peer, { first: 1, port: '80', requestId: '0' })
  await openPair(peer, { first: 5, port: '80', requestId: '1' })
  await eventually(() => ends.length === 2)
  const [first, second] = ends as [Duplex & { resetAndDestroy(): void }, Duplex]
  first.resetAndDestroy()
  await peer.received(one => one.type === 3 && one.id === 3)
  await peer.endOf(1)
  assert.equal(peer.dataOf(1).length, 0, 'an error message would end the whole port-forward at the client')
  second.end('still there')
  await peer.endOf(7)
  assert.equal(peer.dataOf(7).toString(), 'still there')
})

test('a client that vanishes ends all its connections', async t => {
  const door = await openTestStreaming(t)
  const [peer, ends] = [await transports.SPDY(door, []), listen(door, 80)]
  await openPair(peer, { first: 1, port: '80', requestId: '0' })
  await openPair(peer, { first: 5, port: '80', requestId: '1' })
  await eventually(() => ends.length === 2)
  for (const far of ends) far.resume()
  peer.transport.destroy()
  await eventually(() => ends.every(far => far.readableEnded || far.destroyed))
})

test('a pair that stays half is given up', async t => {
  const door = await openTestStreaming(t, { streamCreationTimeoutMs: 50 })
  const peer = await transports.SPDY(door, [])
  await peer.open(1, { streamType: 'error', port: '80', requestID: '0' })
  await peer.endOf(1)
  assert.match(peer.dataOf(1).toString(), /request 0: the other stream did not come in time/)
})

const refused: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['without a port', { streamType: 'data' }],
  ['of port 0', { streamType: 'data', port: '0' }],
  ['of a port that is too high', { streamType: 'data', port: '65536' }],
  ['of a port that is no number', { streamType: 'data', port: '80x' }],
  ['without a type', { port: '80' }],
  ['of another type', { streamType: 'stdin', port: '80' }],
]

for (const [name, headers] of refused) {
  test(`a stream ${name} is refused`, async t => {
    const peer = await transports.SPDY(await openTestStreaming(t), [])
    await peer.open(1, headers)
    await peer.received(one => one.type === 3 && one.id === 1)
  })
}

for (const name of ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const) {
  test(`WebSocket ${name}: two channels for each port`, async t => {
    const door = await openTestStreaming(t)
    const ends = listen(door, 8080)
    const peer = await door.webSocket(await door.server.urlFor(forwardRequest(8080, 81)), [name])
    const isText = name.includes('base64')
    const received = (channel: number): Buffer =>
      isText
        ? Buffer.concat(
            peer.messages.flatMap(one =>
              String(one).startsWith(String(channel)) ? Buffer.from(String(one).slice(1), 'base64') : [],
            ),
          )
        : peer.channel(channel)
    await peer.until(() => [0, 1, 2, 3].every(channel => received(channel).length >= 2))
    for (const [channel, port] of [8080, 8080, 81, 81].entries())
      assert.equal(received(channel).readUInt16LE(), port)
    await peer.until(() => received(3).length > 2)
    assert.match(received(3).subarray(2).toString(), /nothing listens on port 81/)
    peer.socket.send(isText ? `0${Buffer.from('ping').toString('base64')}` : Buffer.from('\0ping'))
    await eventually(() => ends.length === 1)
    ends[0]?.once('data', (chunk: Buffer) => ends[0]?.end(`${chunk.toString()} pong`))
    await peer.until(() => received(0).length > 2)
    assert.equal(received(0).subarray(2).toString(), 'ping pong')
    peer.socket.close()
    await eventually(() => ends.every(far => far.readableEnded || far.destroyed))
  })
}
