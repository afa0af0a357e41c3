import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProcessRequest, StreamRequest } from '../request.ts'
import type { SpdyPeer } from '../testing/spdy-peer.ts'
import {
  eventually,
  execRequest,
  openTestStreaming,
  type StreamingFixture,
} from '../testing/streaming-fixture.ts'

const ids = { error: 1, stdin: 3, stdout: 5, stderr: 7, resize: 9 } as const

/** Upgrades, and opens the streams that the request needs. */
async function connect(
  door: StreamingFixture,
  request: StreamRequest,
  protocol = 'v4.channel.k8s.io',
): Promise<SpdyPeer> {
  const peer = await door.spdy(await door.server.urlFor(request), [protocol])
  const wanted = request as ProcessRequest
  await peer.open(ids.error, { streamType: 'error' })
  if (wanted.hasStdin) await peer.open(ids.stdin, { streamType: 'stdin' })
  if (wanted.hasStdout) await peer.open(ids.stdout, { streamType: 'stdout' })
  if (wanted.hasStderr) await peer.open(ids.stderr, { streamType: 'stderr' })
  if (wanted.hasTty) await peer.open(ids.resize, { streamType: 'resize' })
  return peer
}

async function statusOf(peer: SpdyPeer): Promise<unknown> {
  await peer.endOf(ids.error)
  return JSON.parse(peer.dataOf(ids.error).toString())
}

test('a command runs, and its output comes before the status', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(door, execRequest(['early', 'hello\n']))
  await peer.closed
  assert.equal(peer.dataOf(ids.stdout).toString(), 'hello\n')
  assert.deepEqual(await statusOf(peer), { metadata: {}, status: 'Success' })
  const ends = peer.frames.filter(one => one.type === undefined && one.flags === 1).map(one => one.id)
  assert.deepEqual(ends.sort(), [ids.error, ids.stdout, ids.stderr])
  assert.equal(peer.frames.at(-1)?.type, 7, 'the last frame is GOAWAY')
  assert.deepEqual(
    door.sessions.opened.map(one => one.isClosed()),
    [true],
  )
})

test('an exit code is a cause of the status', async t => {
  const peer = await connect(await openTestStreaming(t), execRequest(['exit', '7']))
  assert.deepEqual(await statusOf(peer), {
    metadata: {},
    status: 'Failure',
    message: 'command terminated with non-zero exit code: 7',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '7' }] },
  })
  assert.equal(peer.dataOf(ids.stderr).toString(), 'exits with 7')
})

const oldProtocols = ['v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const

for (const protocol of oldProtocols) {
  test(`${protocol} reports failures as text, and success as nothing`, async t => {
    const door = await openTestStreaming(t)
    const failed = await connect(door, execRequest(['exit', '7']), protocol)
    await failed.endOf(ids.error)
    assert.equal(failed.dataOf(ids.error).toString(), 'command terminated with non-zero exit code: 7')
    const succeeded = await connect(door, execRequest(['early', 'x']), protocol)
    await succeeded.endOf(ids.error)
    assert.equal(succeeded.dataOf(ids.error).length, 0)
  })
}

test('a command that cannot be started is a failure that says why', async t => {
  const peer = await connect(await openTestStreaming(t), execRequest(['missing']))
  assert.deepEqual(await statusOf(peer), {
    metadata: {},
    status: 'Failure',
    message: 'exec in container c1: "missing": executable file not found in $PATH',
    reason: 'InternalError',
    code: 500,
  })
})

test('input that ends reaches the process, in order', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(door, execRequest(['cat'], { hasStdin: true }))
  peer.data(ids.stdin, 'one ')
  peer.data(ids.stdin, 'two', 1)
  await peer.closed
  assert.equal(peer.dataOf(ids.stdout).toString(), 'one two')
})

test('a terminal gets its sizes, and has one output', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(
    door,
    execRequest(['sizes', '3'], { hasTty: true, hasStdin: true, hasStderr: false }),
  )
  peer.data(ids.resize, '{"Width":80,"Height":24}\n{"Width":')
  peer.data(ids.resize, '132,"Height":43}\n')
  peer.data(
    ids.resize,
    '{"Width":"many"}{"Width":-1,"Height":1}{"Width":70000,"Height":1}{"Width":1,"Height":2}',
  )
  await peer.closed
  assert.equal(peer.dataOf(ids.stdout).toString(), '80x24\n132x43\n1x2\n')
  assert.deepEqual(door.sessions.opened[0]?.input, {
    containerId: 'c1',
    command: ['sizes', '3'],
    hasStdin: true,
    hasTty: true,
  })
})

test('output that nobody asked for is dropped', async t => {
  const peer = await connect(await openTestStreaming(t), execRequest(['exit', '3'], { hasStderr: false }))
  await peer.closed
  assert.equal(
    peer.frames.filter(one => one.type === undefined && one.payload.length > 0 && one.id !== ids.error)
      .length,
    0,
  )
})

test('an output stream that the client resets does not stop the process', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(door, execRequest(['flood', String(64 * 1024 * 1024)]))
  await peer.received(one => one.type === undefined && one.payload.length > 0)
  peer.send(Buffer.from('8003000300000008' + '00000005' + '00000005', 'hex'))
  assert.deepEqual(await statusOf(peer), { metadata: {}, status: 'Success' })
})

test('a client that vanishes ends the process', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(door, execRequest(['sleep'], { hasStdin: true }))
  await eventually(() => door.sessions.opened.length === 1)
  peer.transport.destroy()
  await eventually(() => door.sessions.opened[0]?.isClosed() === true)
})

test('a client that vanishes while the process does not read ends the process, too', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(door, execRequest(['deaf'], { hasStdin: true }))
  peer.data(ids.stdin, Buffer.alloc(8 * 1024 * 1024))
  // The server has stopped reading when the socket takes no more.
  await eventually(() => peer.transport.writableLength > 0 && door.sessions.opened.length === 1)
  peer.transport.destroy()
  await eventually(() => door.sessions.opened[0]?.isClosed() === true)
})

test('a client that opens too few streams is told so, and gets no process', async t => {
  const door = await openTestStreaming(t, { streamCreationTimeoutMs: 1_000 })
  const peer = await door.spdy(await door.server.urlFor(execRequest(['cat'])), ['v4.channel.k8s.io'])
  await peer.open(1, { streamType: 'error' })
  await peer.open(3, { streamType: 'stdout' })
  await peer.closed
  assert.match(peer.dataOf(1).toString(), /did not open its streams in time: stderr/)
  assert.equal(door.sessions.opened.length, 0)
})

test('streams of unknown types, and second ones, are refused', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(door, execRequest(['sleep']))
  await peer.open(11, { streamType: 'stdout' })
  await peer.open(13, { streamType: 'video' })
  await peer.open(15, {})
  for (const id of [11, 13, 15]) {
    const refusal = await peer.received(one => one.type === 3 && one.id === id)
    assert.equal(refusal.payload.readUInt32BE(4), 3)
  }
})

test('the server stops: sessions hear it, and no process stays', async t => {
  const door = await openTestStreaming(t)
  const peer = await connect(door, execRequest(['sleep']))
  await eventually(() => door.sessions.opened.length === 1)
  await door.server.stop()
  assert.match(peer.dataOf(ids.error).toString(), /lighterd is stopping/)
  assert.equal(door.sessions.opened[0]?.isClosed(), true)
})

test('attach is over when the connection is, whatever the exit code', async t => {
  const door = await openTestStreaming(t)
  const streams = { hasTty: false, hasStdin: true, hasStdout: true, hasStderr: false }
  const peer = await connect(door, { kind: 'attach', containerId: 'c1', ...streams })
  peer.data(ids.stdin, 'abc', 1)
  await peer.closed
  assert.equal(peer.dataOf(ids.stdout).toString(), 'abc')
  assert.deepEqual(await statusOf(peer), { metadata: {}, status: 'Success' })
})
