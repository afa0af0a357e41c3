import assert from 'node:assert/strict'
import { once } from 'node:events'
import { lstat, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Ctx, orAborted } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import { pathExists } from '#base/files'
import { createRecordingLog, makeTestDirectory, type RecordingLog } from '../testing/door-fixture.ts'
import { type CriClient, createCriClient } from './client.ts'
import { type Handler, served } from './handler.ts'
import { imageMethods, runtimeMethods as rpc } from './methods.ts'
import { defaultServerLimits, type RunningServer, type ServerLimits, serve } from './server.ts'
import { grpcCode } from './status.ts'

interface Fixture {
  readonly client: CriClient
  readonly server: RunningServer
  readonly socketPath: string
  readonly log: RecordingLog
}

interface Setup {
  readonly handler?: Handler<typeof rpc.ExecSync>
  readonly isReady?: () => boolean
  readonly stopGraceMs?: number
  readonly socketPath?: string
  readonly limits?: Partial<ServerLimits>
}

/** A server with one RPC (ExecSync) that does what the test says. */
async function start(t: TestContext, setup: Setup = {}): Promise<Fixture> {
  const socketPath = setup.socketPath ?? join(await makeTestDirectory(t), 's.sock')
  const log = createRecordingLog()
  const gate = { log, isReady: setup.isReady ?? (() => true) }
  const server = await serve({
    socketPath,
    services: [
      {
        name: 'runtime.v1.RuntimeService',
        methods: [served(gate, rpc.ExecSync, setup.handler ?? (() => ({ exitCode: 5 })))],
      },
    ],
    limits: { ...defaultServerLimits, stopGraceMs: setup.stopGraceMs ?? 5000, ...setup.limits },
  })
  const client = createCriClient(socketPath)
  t.after(async () => {
    client.close()
    await server.stop()
  })
  return { client, server, socketPath, log }
}

const exec = { containerId: 'c', cmd: ['true'] }

test('the socket belongs to root and is closed to others', async t => {
  const { socketPath } = await start(t)
  const { mode, uid, gid } = await stat(socketPath)
  assert.deepEqual({ mode: mode & 0o777, uid, gid }, { mode: 0o660, uid: 0, gid: 0 })
  assert.equal(await pathExists(`${socketPath}~`), false)
})

test('a socket that a dead daemon left is replaced', async t => {
  const socketPath = join(await makeTestDirectory(t), 's.sock')
  const dead = createServer().listen(`${socketPath}.other`)
  await once(dead, 'listening')
  // Closing removes the name that was listened on: under its new name the socket stays, with nobody behind it.
  await rename(`${socketPath}.other`, socketPath)
  dead.close()
  await once(dead, 'close')
  assert.equal((await lstat(socketPath)).isSocket(), true)
  const { client } = await start(t, { socketPath })
  assert.equal((await client.call(rpc.ExecSync, exec)).exitCode, 5)
})

test('a socket that somebody serves is left alone', async t => {
  const { socketPath, client } = await start(t)
  await assert.rejects(
    serve({ socketPath, services: [], limits: defaultServerLimits }),
    err => isKind(err, 'failed-precondition') && err.message.includes(socketPath),
  )
  assert.equal((await client.call(rpc.ExecSync, exec)).exitCode, 5)
})

test('a file that is in the way is not removed', async t => {
  const directory = await makeTestDirectory(t)
  for (const make of [writeFile, (path: string) => symlink('/etc/passwd', path)]) {
    const socketPath = join(directory, make === writeFile ? 'file' : 'link')
    await make(socketPath, 'precious')
    await assert.rejects(
      serve({ socketPath, services: [], limits: defaultServerLimits }),
      err => isKind(err, 'failed-precondition') && err.message.includes(socketPath),
    )
    assert.equal(await pathExists(socketPath), true)
  }
})

test('before the engine is ready every RPC is UNAVAILABLE, then it works', async t => {
  let isReady = false
  const { client } = await start(t, { isReady: () => isReady })
  await assert.rejects(client.call(rpc.ExecSync, exec), { code: grpcCode.unavailable })
  isReady = true
  assert.equal((await client.call(rpc.ExecSync, exec)).exitCode, 5)
})

test('an RPC that is not registered is UNIMPLEMENTED', async t => {
  const { client } = await start(t)
  await assert.rejects(client.call(imageMethods.ListImages, {}), { code: grpcCode.unimplemented })
})

test('an exception that nobody expected tells the client nothing and the log everything', async t => {
  const { client, log } = await start(t, {
    handler: () => {
      throw new TypeError('secret is not a function')
    },
  })
  await assert.rejects(client.call(rpc.ExecSync, exec), {
    code: grpcCode.internal,
    details: 'internal error',
  })
  const line = log.lines.find(({ level }) => level === 'error')
  assert.match(String(line?.fields.err), /secret is not a function[^]*server\.test/)
  assert.equal(line?.fields.rpc, 'ExecSync')
})

test('the texts of errors arrive whole, whatever characters they have', async t => {
  const message = 'cannot mount "ä\n☃": 100% wrong\ud800'
  const { client } = await start(t, {
    handler: () => {
      throw new RuntimeError('failed-precondition', message)
    },
  })
  await assert.rejects(client.call(rpc.ExecSync, exec), {
    code: grpcCode.failedPrecondition,
    details: message.replace('\ud800', '\ufffd'),
  })
})

test('bytes that are no message are INVALID_ARGUMENT', async t => {
  const { client } = await start(t)
  const broken = { encode: () => ({ finish: () => Uint8Array.of(0x0a, 0xff, 0xff) }), decode: () => ({}) }
  await assert.rejects(client.call({ ...rpc.ExecSync, request: broken }, {} as never), {
    code: grpcCode.invalidArgument,
    details: /ExecSync/,
  })
})

test('messages of 20 MiB pass, both ways', async t => {
  const bytes = 20 * 1024 * 1024
  const { client } = await start(t, {
    handler: (_ctx, request) => ({ stdout: Buffer.alloc(request.cmd[0]?.length ?? 0, 7) }),
  })
  const { stdout } = await client.call(rpc.ExecSync, { cmd: ['x'.repeat(bytes)] })
  assert.equal(stdout.length, bytes)
  assert.equal(stdout[bytes - 1], 7)
})

test('a larger message than the limit is refused, and the server goes on', async t => {
  const { client } = await start(t)
  const cmd = Array.from({ length: 3 }, () => 'x'.repeat(defaultServerLimits.messageBytes / 2))
  await assert.rejects(client.call(rpc.ExecSync, { cmd }), { code: grpcCode.resourceExhausted })
  assert.equal((await client.call(rpc.ExecSync, exec)).exitCode, 5)
})

test('a connection that broke the protocol is closed, and one that is in order is not', async t => {
  const limits = { pingIntervalMs: 50, pingTimeoutMs: 50 }
  const { client, socketPath } = await start(t, { limits })
  const data = Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const socket = createConnection(socketPath)
  t.after(() => socket.destroy())
  const closed = new Promise<void>(resolve => socket.once('close', resolve))
  socket.resume()
  socket.write(Buffer.concat([preface, settings, data]))
  await closed
  assert.equal((await client.call(rpc.ExecSync, exec)).exitCode, 5)
})

/** A handler that waits until its caller is gone and says why it ended. */
function waiting(): { readonly handler: Handler<typeof rpc.ExecSync>; readonly ended: Promise<unknown> } {
  let end: (err: unknown) => void = () => undefined
  const ended = new Promise<unknown>(resolve => {
    end = resolve
  })
  return {
    ended,
    async handler(ctx: Ctx) {
      try {
        return await orAborted(ctx, new Promise<never>(() => undefined))
      } catch (err) {
        end(err)
        throw err
      }
    },
  }
}

test('the deadline of the client ends the work as deadline-exceeded', async t => {
  const { handler, ended } = waiting()
  const { client } = await start(t, { handler })
  await assert.rejects(client.call(rpc.ExecSync, exec, { timeoutMs: 50 }), {
    code: grpcCode.deadlineExceeded,
  })
  assert.ok(isKind(await ended, 'deadline-exceeded'))
})

test('a cancelled call ends the work as cancelled', async t => {
  const { handler, ended } = waiting()
  const cancel = new AbortController()
  const { client } = await start(t, {
    handler(ctx, request) {
      cancel.abort()
      return handler(ctx, request)
    },
  })
  await assert.rejects(client.call(rpc.ExecSync, exec, { signal: cancel.signal }), {
    code: grpcCode.cancelled,
  })
  assert.ok(isKind(await ended, 'cancelled'))
})

test('the signal of an answered call stays quiet when the client goes', async t => {
  let signal: AbortSignal | undefined
  const { client, server } = await start(t, {
    handler(ctx) {
      signal = ctx.signal
      return {}
    },
  })
  await client.call(rpc.ExecSync, exec)
  client.close()
  await server.stop()
  assert.equal(signal?.aborted, false)
})

test('stop lets running calls end and takes no new ones', async t => {
  let finish: () => void = () => undefined
  const running = new Promise<void>(resolve => {
    finish = resolve
  })
  let onCalled: () => void = () => undefined
  const called = new Promise<void>(resolve => {
    onCalled = resolve
  })
  const { client, server, socketPath } = await start(t, {
    async handler() {
      onCalled()
      await running
      return { exitCode: 9 }
    },
  })
  const answer = client.call(rpc.ExecSync, exec)
  await called
  const stopped = server.stop()
  while (await pathExists(socketPath)) await setImmediate()
  const late = createCriClient(socketPath)
  t.after(() => {
    late.close()
  })
  await assert.rejects(late.call(rpc.ExecSync, exec), { code: grpcCode.unavailable })
  finish()
  assert.equal((await answer).exitCode, 9)
  await stopped
  assert.equal(await pathExists(socketPath), false)
})

test('stop cuts calls that do not end in time', async t => {
  const { handler, ended } = waiting()
  let onCalled: () => void = () => undefined
  const called = new Promise<void>(resolve => {
    onCalled = resolve
  })
  const { client, server } = await start(t, {
    stopGraceMs: 50,
    handler(ctx, request) {
      onCalled()
      return handler(ctx, request)
    },
  })
  const answer = client.call(rpc.ExecSync, exec)
  await Promise.all([assert.rejects(answer, { code: grpcCode.cancelled }), called.then(() => server.stop())])
  assert.ok(isKind(await ended, 'cancelled'))
})

test('a socket path that is too long is one clear error', async t => {
  const directory = await makeTestDirectory(t)
  const socketPath = join(directory, 'x'.repeat(120), 's.sock')
  await assert.rejects(
    serve({ socketPath, services: [], limits: defaultServerLimits }),
    err => err instanceof RuntimeError && err.message.includes(socketPath),
  )
})
