import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Ctx, orAborted } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import { createRecordingLog, makeTestDirectory, type RecordingLog } from '../testing/door-fixture.ts'
import { type CriClient, createCriClient, type MessageStream } from './client.ts'
import { type Handler, type StreamHandler, served, streamed } from './handler.ts'
import { runtimeMethods as rpc } from './methods.ts'
import { defaultServerLimits, type RunningServer, serve } from './server.ts'
import { grpcCode } from './status.ts'

type EventHandler = StreamHandler<typeof rpc.GetContainerEvents>

interface Setup {
  readonly handler: EventHandler
  readonly execSync?: Handler<typeof rpc.ExecSync>
  readonly isReady?: () => boolean
}

interface Fixture {
  readonly client: CriClient
  readonly server: RunningServer
  readonly log: RecordingLog
}

/** A server with one stream (GetContainerEvents) that does what the test says. */
async function start(t: TestContext, setup: Setup): Promise<Fixture> {
  const socketPath = join(await makeTestDirectory(t), 's.sock')
  const log = createRecordingLog()
  const gate = { log, isReady: setup.isReady ?? (() => true) }
  const methods = [
    streamed(gate, rpc.GetContainerEvents, setup.handler),
    served(gate, rpc.ExecSync, setup.execSync ?? (() => ({}))),
  ]
  const server = await serve({
    socketPath,
    services: [{ name: 'runtime.v1.RuntimeService', methods }],
    limits: { ...defaultServerLimits, streamGraceMs: 50 },
  })
  const client = createCriClient(socketPath)
  t.after(async () => {
    client.close()
    await server.stop()
  })
  return { client, server, log }
}

async function idsOf(stream: MessageStream<{ readonly containerId?: string | null }>): Promise<string[]> {
  const ids: string[] = []
  for await (const { containerId } of stream) ids.push(containerId ?? '')
  return ids
}

const count = (to: number) =>
  async function* (): ReturnType<EventHandler> & AsyncGenerator<{ containerId: string }> {
    for (let i = 1; i <= to; i++) {
      await setImmediate()
      yield { containerId: String(i) }
    }
  }

/** Never a message, and why it ended. */
function silent(): { readonly handler: EventHandler; readonly ended: Promise<unknown> } {
  let end: (err: unknown) => void = () => undefined
  const ended = new Promise<unknown>(resolve => {
    end = resolve
  })
  return {
    ended,
    async *handler(ctx: Ctx) {
      try {
        yield await orAborted(ctx, new Promise<never>(() => undefined))
      } catch (err) {
        end(err)
        throw err
      }
    },
  }
}

/** 64 KiB each, for ever; tells how many were made. */
function flood(): { readonly handler: EventHandler; readonly made: () => number } {
  let made = 0
  return {
    made: () => made,
    *handler() {
      for (;;) {
        made++
        yield { containerId: 'x'.repeat(64 * 1024) }
      }
    },
  }
}

/** Resolves when the number has stopped to grow. */
async function settled(number: () => number): Promise<number> {
  for (let last = -1; ; last = number()) {
    await new Promise(resolve => setTimeout(resolve, 100))
    if (number() === last && last > 0) return last
  }
}

test('messages come in order, then the end; none is a stream, too', async t => {
  for (const number of [0, 1, 200]) {
    await t.test(`${number} messages`, async sub => {
      const { client, log } = await start(sub, { handler: count(number) })
      const expected = Array.from({ length: number }, (_, i) => String(i + 1))
      assert.deepEqual(await idsOf(client.stream(rpc.GetContainerEvents, {})), expected)
      const done = log.lines.find(({ message }) => message === 'rpc done')
      assert.equal(done?.fields.messages, number)
    })
  }
})

test('an error comes after the messages that were before it', async t => {
  const { client, log } = await start(t, {
    async *handler() {
      yield* count(2)()
      throw new RuntimeError('failed-precondition', 'no more of it')
    },
  })
  const ids: string[] = []
  const read = async (): Promise<void> => {
    for await (const { containerId } of client.stream(rpc.GetContainerEvents, {})) ids.push(containerId)
  }
  await assert.rejects(read(), { code: grpcCode.failedPrecondition, details: 'no more of it' })
  assert.deepEqual(ids, ['1', '2'])
  assert.equal(log.lines.at(-1)?.message, 'rpc failed')
})

test('a request that is refused at once is an error without messages', async t => {
  const { client } = await start(t, {
    handler: () => {
      throw new RuntimeError('invalid-argument', 'not like this')
    },
  })
  await assert.rejects(idsOf(client.stream(rpc.GetContainerEvents, {})), {
    code: grpcCode.invalidArgument,
  })
})

test('an error that came before anybody read is there for who reads then', async t => {
  const { client } = await start(t, {
    handler: () => {
      throw new RuntimeError('invalid-argument', 'not like this')
    },
  })
  const stream = client.stream(rpc.GetContainerEvents, {})
  await stream.opened
  await assert.rejects(idsOf(stream), { code: grpcCode.invalidArgument })
})

test('before the engine is ready a stream is UNAVAILABLE', async t => {
  const { client } = await start(t, { handler: count(1), isReady: () => false })
  await assert.rejects(idsOf(client.stream(rpc.GetContainerEvents, {})), { code: grpcCode.unavailable })
})

test('the client hears that its request was taken before there is any message', async t => {
  const { handler } = silent()
  const { client } = await start(t, { handler })
  await client.stream(rpc.GetContainerEvents, {}).opened
})

test('a client that leaves ends the work, and that is nothing to warn of', async t => {
  const { handler, ended } = silent()
  const { client, log } = await start(t, { handler })
  const leave = new AbortController()
  const stream = client.stream(rpc.GetContainerEvents, {}, { signal: leave.signal })
  await stream.opened
  leave.abort()
  await assert.rejects(idsOf(stream), { code: grpcCode.cancelled })
  assert.ok(isKind(await ended, 'cancelled'))
  await setImmediate()
  assert.deepEqual([log.lines.at(-1)?.level, log.lines.at(-1)?.message], ['debug', 'rpc was left'])
})

test('leaving the iteration is leaving the call', async t => {
  const { handler, made } = flood()
  const { client } = await start(t, { handler })
  for await (const message of client.stream(rpc.GetContainerEvents, {})) {
    assert.equal(message.containerId.length, 64 * 1024)
    break
  }
  await settled(made)
})

test('the deadline of the client ends a stream as deadline-exceeded', async t => {
  const { handler, ended } = silent()
  const { client } = await start(t, { handler })
  await assert.rejects(idsOf(client.stream(rpc.GetContainerEvents, {}, { timeoutMs: 50 })), {
    code: grpcCode.deadlineExceeded,
  })
  assert.ok(isKind(await ended, 'deadline-exceeded'))
})

test('a client that does not read makes the server wait, and disturbs no other call', async t => {
  const { handler, made } = flood()
  const { client } = await start(t, { handler, execSync: () => ({ exitCode: 5 }) })
  await client.stream(rpc.GetContainerEvents, {}).opened
  assert.ok((await settled(made)) < 50) // a few MiB in buffers of both ends
  assert.equal((await client.call(rpc.ExecSync, {})).exitCode, 5)
})

test('stop ends streams at once, as unavailable', async t => {
  const { handler, ended } = silent()
  const { client, server } = await start(t, { handler })
  const streams = Array.from({ length: 20 }, () => client.stream(rpc.GetContainerEvents, {}))
  await Promise.all(streams.map(({ opened }) => opened))
  const read = streams.map(stream => assert.rejects(idsOf(stream), { code: grpcCode.unavailable }))
  const startedMs = performance.now()
  await server.stop()
  assert.ok(performance.now() - startedMs < 2_000)
  await Promise.all(read)
  assert.ok(isKind(await ended, 'unavailable'))
})

test('stop does not wait for a client that never reads, but for a call that is at work', async t => {
  const { handler, made } = flood()
  let finish: () => void = () => undefined
  const work = new Promise<void>(resolve => {
    finish = resolve
  })
  const { client, server } = await start(t, {
    handler,
    async execSync() {
      await work
      return { exitCode: 5 }
    },
  })
  const deaf = client.stream(rpc.GetContainerEvents, {})
  await deaf.opened
  await settled(made)
  const answer = client.call(rpc.ExecSync, {})
  await setImmediate()
  const startedMs = performance.now()
  const stopped = server.stop()
  setTimeout(finish, 200)
  assert.equal((await answer).exitCode, 5)
  await stopped
  assert.ok(performance.now() - startedMs < 2_000)
})
