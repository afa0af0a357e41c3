import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, execRequest, openTestStreaming } from './testing/streaming-fixture.ts'

test('sessions are counted while they are open', async t => {
  const door = await openTestStreaming(t)
  assert.equal(door.server.sessions, 0)
  const open = async () => {
    const url = await door.server.urlFor(execRequest(['cat'], { hasStdin: true }))
    return door.webSocket(url, ['v5.channel.k8s.io'])
  }
  const [first, second] = [await open(), await open()]
  assert.equal(door.server.sessions, 2)
  first.socket.send(Buffer.of(255, 0))
  await first.closed
  await eventually(() => door.server.sessions === 1)
  second.socket.terminate()
  await eventually(() => door.server.sessions === 0)
})
