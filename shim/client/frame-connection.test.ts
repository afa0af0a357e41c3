import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Ctx } from '#base/context'
import { isKind } from '#base/errors'
import { silentLog } from '#base/log'
import { connectFrames, type FrameConnection } from './frame-connection.ts'
import { encodeFrame, fieldData } from './protocol.ts'

const ctx: Ctx = { signal: new AbortController().signal, log: silentLog }

async function connectedPair(t: TestContext): Promise<{ client: FrameConnection; peer: Socket }> {
  const { server, path } = await listen(t)
  const accepted = once(server, 'connection')
  const client = await connectFrames(ctx, path)
  t.after(() => {
    client.close()
  })
  const peer = ((await accepted) as [Socket])[0]
  t.after(() => peer.destroy())
  peer.on('error', () => undefined)
  return { client, peer }
}

async function listen(t: TestContext): Promise<{ server: Server; path: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-frames-'))
  t.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 's')
  const server = createServer({ pauseOnConnect: true }).listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  return { server, path }
}

test('frames arrive in order, then the clean end', async t => {
  const { client, peer } = await connectedPair(t)
  for (const id of [1, 2]) peer.write(encodeFrame({ id, type: 98, fields: [[15, Buffer.from([id])]] }))
  peer.end()
  assert.equal((await client.receive())?.id, 1)
  assert.equal((await client.receive())?.id, 2)
  assert.equal(await client.receive(), undefined)
  assert.equal(await client.receive(), undefined)
})

test('a peer that goes away inside a frame is unavailable', async t => {
  const { client, peer } = await connectedPair(t)
  peer.end(encodeFrame({ id: 1, type: 98, fields: [[15, 'abc']] }).subarray(0, 15))
  await assert.rejects(client.receive(), err => isKind(err, 'unavailable'))
})

test('a peer that breaks the protocol is cut off after the good frames', async t => {
  const { client, peer } = await connectedPair(t)
  const closed = once(peer, 'close')
  peer.resume()
  peer.write(Buffer.concat([encodeFrame({ id: 1, type: 1, fields: [] })]))
  assert.equal((await client.receive())?.id, 1)
  peer.write(Buffer.alloc(12, 0xff))
  await assert.rejects(client.receive(), err => isKind(err, 'data-loss'))
  await closed
})

test('frames that nobody receives hold the peer back', async t => {
  const { client, peer } = await connectedPair(t)
  const frame = encodeFrame({ id: 1, type: 98, fields: [[15, Buffer.alloc(64 * 1024)]] })
  const count = 400
  let flushed = 0
  for (let i = 0; i < count; i++) peer.write(frame, () => flushed++)
  assert.ok(await client.receive())
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
  assert.ok(flushed < count / 2, `${flushed} frames went through`)
  for (let i = 1; i < count; i++) {
    const got = await client.receive()
    assert.equal(got && fieldData(got, 15)?.length, 64 * 1024)
  }
  assert.equal(flushed, count)
})

test('a send waits for a peer that does not read and fails when it goes away', async t => {
  const { client, peer } = await connectedPair(t)
  const sends = Array.from({ length: 16 }, () =>
    client.send({ id: 1, type: 70, fields: [[15, Buffer.alloc(1024 * 1024)]] }),
  )
  const settled = Promise.allSettled(sends)
  peer.destroy()
  const outcomes = await settled
  const failed = outcomes.filter(outcome => outcome.status === 'rejected')
  assert.ok(failed.length > 0)
  for (const outcome of failed) assert.ok(isKind(outcome.reason, 'unavailable'))
  await assert.rejects(client.send({ id: 1, type: 70, fields: [] }), err => isKind(err, 'unavailable'))
})

test('closing answers a waiting receive', async t => {
  const { client } = await connectedPair(t)
  const waiting = client.receive()
  client.close()
  client.close()
  assert.equal(await waiting, undefined)
})

test('connecting where nobody listens is not-found, giving up is cancelled', async t => {
  const { server, path } = await listen(t)
  await assert.rejects(connectFrames(ctx, `${path}-none`), err => isKind(err, 'not-found'))
  server.close()
  const aborted: Ctx = { ...ctx, signal: AbortSignal.abort() }
  await assert.rejects(connectFrames(aborted, path), err => isKind(err, 'cancelled'))
})
