import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, execRequest, openTestStreaming } from '../testing/streaming-fixture.ts'

const success = { metadata: {}, status: 'Success' }

test('v5: output, status, normal close', async t => {
  const door = await openTestStreaming(t)
  const peer = await door.webSocket(await door.server.urlFor(execRequest(['early', 'hello'])), [
    'v5.channel.k8s.io',
  ])
  assert.equal(peer.socket.protocol, 'v5.channel.k8s.io')
  assert.deepEqual(await peer.closed, { code: 1000 })
  assert.deepEqual(peer.messages[0], Buffer.of(1), 'the first message says that the connection is good')
  assert.equal(peer.channel(1).toString(), 'hello')
  assert.deepEqual(JSON.parse(peer.channel(3).toString()), success)
})

test('v5: message 255 0 ends the input', async t => {
  const door = await openTestStreaming(t)
  const url = await door.server.urlFor(execRequest(['cat'], { hasStdin: true }))
  const peer = await door.webSocket(url, ['v5.channel.k8s.io'])
  peer.socket.send(Buffer.from('\0some '))
  peer.socket.send(Buffer.from('\0input'))
  peer.socket.send(Buffer.of(255, 0))
  peer.socket.send(Buffer.of(255, 0))
  peer.socket.send(Buffer.from('\0too late'))
  assert.deepEqual(await peer.closed, { code: 1000 })
  assert.equal(peer.channel(1).toString(), 'some input')
})

for (const message of [Buffer.of(255), Buffer.of(255, 9), Buffer.of(255, 0, 0)]) {
  test(`v5: the close signal ${message.toString('hex')} is an error of the client`, async t => {
    const door = await openTestStreaming(t)
    const url = await door.server.urlFor(execRequest(['cat'], { hasStdin: true }))
    const peer = await door.webSocket(url, ['v5.channel.k8s.io'])
    peer.socket.send(message)
    assert.deepEqual(await peer.closed, { code: 1002 })
    await eventually(() => door.sessions.opened.every(one => one.isClosed()))
  })
}

const binaryProtocols = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
  undefined,
] as const

for (const protocol of binaryProtocols) {
  test(`${protocol ?? 'no protocol'}: input, output and exit code`, async t => {
    const door = await openTestStreaming(t)
    const url = await door.server.urlFor(execRequest(['exit', '9']))
    const peer = await door.webSocket(url, protocol === undefined ? [] : [protocol])
    assert.equal(peer.socket.protocol, protocol ?? '')
    await peer.closed
    assert.equal(peer.channel(2).toString(), 'exits with 9')
    const text = peer.channel(3).toString()
    if (protocol === 'v4.channel.k8s.io') assert.match(text, /"message":"9"/)
    else assert.equal(text, 'command terminated with non-zero exit code: 9')
  })
}

for (const protocol of ['v4.base64.channel.k8s.io', 'base64.channel.k8s.io']) {
  test(`${protocol}: text messages`, async t => {
    const door = await openTestStreaming(t)
    const peer = await door.webSocket(await door.server.urlFor(execRequest(['cat'], { hasStdin: true })), [
      protocol,
    ])
    peer.socket.send(`0${Buffer.from('through').toString('base64')}`)
    peer.socket.send('0!not base64!')
    peer.socket.send('9aaaa')
    await peer.until(messages => messages.length >= 2)
    assert.deepEqual(peer.messages.slice(0, 2), ['1', `1${Buffer.from('through').toString('base64')}`])
    peer.socket.close()
    await eventually(() => door.sessions.opened.every(one => one.isClosed()))
  })
}

test('messages for channels that are not there, and empty ones, are ignored', async t => {
  const door = await openTestStreaming(t)
  const url = await door.server.urlFor(execRequest(['cat'], { hasStdin: true }))
  const peer = await door.webSocket(url, ['v5.channel.k8s.io'])
  for (const message of [[], [0], [5, 1], [200, 1], [2, 1], [3, 1]]) peer.socket.send(Buffer.from(message))
  peer.socket.send(Buffer.from('\0x'))
  peer.socket.send(Buffer.of(255, 0))
  assert.deepEqual(await peer.closed, { code: 1000 })
  assert.equal(peer.channel(1).toString(), 'x')
})

test('a message that is too large ends the connection, and the process', async t => {
  const door = await openTestStreaming(t)
  const url = await door.server.urlFor(execRequest(['cat'], { hasStdin: true }))
  const peer = await door.webSocket(url, ['v5.channel.k8s.io'])
  peer.socket.send(Buffer.alloc(5 * 1024 * 1024))
  assert.deepEqual(await peer.closed, { code: 1009 })
  await eventually(() => door.sessions.opened.every(one => one.isClosed()))
})

test('a client that vanishes while the process does not read ends the process', async t => {
  const door = await openTestStreaming(t)
  const url = await door.server.urlFor(execRequest(['deaf'], { hasStdin: true }))
  const peer = await door.webSocket(url, ['v5.channel.k8s.io'])
  for (let count = 0; count < 8; count++) peer.socket.send(Buffer.alloc(1024 * 1024))
  await eventually(() => peer.socket.bufferedAmount > 0 && door.sessions.opened.length === 1)
  peer.socket.terminate()
  await eventually(() => door.sessions.opened[0]?.isClosed() === true)
})

test('sizes of a terminal', async t => {
  const door = await openTestStreaming(t)
  const streams = { hasTty: true, hasStdin: true, hasStderr: false }
  const peer = await door.webSocket(await door.server.urlFor(execRequest(['sizes', '2'], streams)), [
    'v5.channel.k8s.io',
  ])
  peer.socket.send(Buffer.from('\u0004{"Width":80,"Height":24}'))
  peer.socket.send(Buffer.from('\u0004{"Width":81,"Height":25}'))
  await peer.closed
  assert.equal(peer.channel(1).toString(), '80x24\n81x25\n')
})

test('pings are answered while nothing else happens', async t => {
  const door = await openTestStreaming(t)
  const peer = await door.webSocket(await door.server.urlFor(execRequest(['sleep'])), ['v5.channel.k8s.io'])
  const answered = new Promise(resolve => peer.socket.once('pong', resolve))
  peer.socket.ping('are you there')
  assert.equal(String(await answered), 'are you there')
})
