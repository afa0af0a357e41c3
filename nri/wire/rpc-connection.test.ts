import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import { isKind, RuntimeError } from '#base/errors'
import { deferred } from '../testing/deferred.ts'
import { socketPair } from '../testing/socket-pair.ts'
import { muxConnections } from './mux.ts'
import { createRpcConnection, type RpcConnection } from './rpc-connection.ts'
import { ttrpcLimits } from './ttrpc-frame.ts'

type Serve = (method: string, payload: Uint8Array) => Promise<Uint8Array>

const timeoutMs = 5_000
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const echo: Serve = (method, payload) => Promise.resolve(Buffer.concat([bytes(`${method}:`), payload]))

interface Pair {
  readonly runtime: RpcConnection
  readonly plugin: RpcConnection
  readonly sockets: readonly [Socket, Socket]
}

async function pair(
  t: TestContext,
  serve: { readonly runtime: Serve; readonly plugin: Serve },
): Promise<Pair> {
  const sockets = await socketPair()
  const end = (socket: Socket, mine: 'runtime' | 'plugin', theirs: 'runtime' | 'plugin'): RpcConnection =>
    createRpcConnection({
      socket,
      calls: { service: theirs, connection: muxConnections[theirs] },
      offers: { service: mine, serve: serve[mine] },
    })
  const runtime = end(sockets[0], 'runtime', 'plugin')
  const plugin = end(sockets[1], 'plugin', 'runtime')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  return { runtime, plugin, sockets }
}

test('both sides call each other over one connection, with messages of any size', async t => {
  const { runtime, plugin } = await pair(t, { runtime: echo, plugin: echo })
  const large = Buffer.alloc(ttrpcLimits.messageBytes - 1024, 7)
  const answers = await Promise.all([
    runtime.call('Small', bytes('a'), timeoutMs),
    plugin.call('Back', bytes('b'), timeoutMs),
    runtime.call('Large', large, timeoutMs),
    plugin.call('Large', large, timeoutMs),
  ])
  assert.equal(Buffer.from(answers[0]).toString(), 'Small:a')
  assert.equal(Buffer.from(answers[1]).toString(), 'Back:b')
  for (const answer of answers.slice(2)) assert.ok(Buffer.concat([bytes('Large:'), large]).equals(answer))
})

test('what the other side refuses keeps its kind and its words', async t => {
  const kinds = ['invalid-argument', 'not-found', 'failed-precondition', 'unimplemented', 'internal'] as const
  const { runtime } = await pair(t, {
    runtime: echo,
    plugin: method => Promise.reject(new RuntimeError(kinds[Number(method)] ?? 'internal', `no ${method}`)),
  })
  for (const [index, kind] of kinds.entries()) {
    await assert.rejects(runtime.call(String(index), bytes(''), timeoutMs), (err: Error) => {
      assert.equal(err.message, `no ${index}`)
      return isKind(err, kind)
    })
  }
  assert.ok(!runtime.isClosed())
})

test('a call that is not answered in time ends the connection, and every other call with it', async t => {
  const { runtime } = await pair(t, { runtime: echo, plugin: () => new Promise(() => undefined) })
  const other = assert.rejects(runtime.call('B', bytes(''), timeoutMs), err => isKind(err, 'unavailable'))
  await assert.rejects(runtime.call('A', bytes(''), 20), err => isKind(err, 'deadline-exceeded'))
  await other
  assert.ok(runtime.isClosed())
  await assert.rejects(runtime.call('C', bytes(''), timeoutMs), err => isKind(err, 'unavailable'))
})

test('more requests at once than a side serves are refused, not queued', async t => {
  const release = deferred<Uint8Array>()
  const { plugin } = await pair(t, { runtime: () => release.promise, plugin: echo })
  const calls = Array.from({ length: 20 }, () => plugin.call('X', bytes(''), timeoutMs))
  const results = Promise.allSettled(calls)
  await assert.rejects(calls[19] ?? Promise.resolve(), err => isKind(err, 'resource-exhausted'))
  release.resolve(bytes('done'))
  const refused = (await results).filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 4)
})

test('a service that is not offered is refused', async t => {
  const [mine, theirs] = await socketPair()
  t.after(() => {
    mine.destroy()
    theirs.destroy()
  })
  const calls = { service: 'someone.Else', connection: muxConnections.runtime }
  const plugin = createRpcConnection({ socket: theirs, calls, offers: { service: 'plugin', serve: echo } })
  createRpcConnection({
    socket: mine,
    calls: { service: 'plugin', connection: muxConnections.plugin },
    offers: { service: 'runtime', serve: echo },
  })
  await assert.rejects(plugin.call('X', bytes(''), timeoutMs), err => isKind(err, 'unimplemented'))
})

test('whatever bytes a plugin sends, the runtime lives and the connection ends or goes on', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1 }),
      async chunks => {
        const { runtime, sockets } = await pair(t, { runtime: echo, plugin: echo })
        sockets[1].removeAllListeners('data')
        for (const chunk of chunks) sockets[1].write(chunk)
        sockets[1].end()
        const reason = await runtime.closed
        assert.ok(['unavailable', 'invalid-argument', 'internal'].includes(reason.kind), reason.message)
      },
    ),
    { numRuns: 60 },
  )
})
