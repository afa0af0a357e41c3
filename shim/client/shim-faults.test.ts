import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { constants } from 'node:os'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import { connectFrames } from './frame-connection.ts'
import { encodeFrame, fieldNumber, frameTypes, tags } from './protocol.ts'
import { isAlive, waitUntil } from './testing/host-fixture.ts'
import { startShims } from './testing/shim-fixture.ts'

/** CONNECTIONS_MAX of the shim. */
const connectionsMax = 160

const { SIGKILL } = constants.signals

async function rawConnection(path: string): Promise<Socket> {
  const socket = createConnection(path)
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  socket.resume()
  return socket
}

test('a client that breaks the protocol is cut off, others notice nothing', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  const pid = await container.started()
  const tooLarge = Buffer.alloc(12)
  tooLarge.writeUInt32LE(4 * 1024 * 1024 + 1)
  const fieldOverFrame = encodeFrame({ id: 1, type: frameTypes.kill, fields: [[tags.signal, 9]] })
  fieldOverFrame.writeUInt32LE(1000, 14)
  const exec = encodeFrame({ id: 1, type: frameTypes.attach, fields: [[tags.flags, 2]] })
  const bigInput = encodeFrame({ id: 2, type: frameTypes.input, fields: [[tags.data, Buffer.alloc(70_000)]] })
  for (const bytes of [tooLarge, fieldOverFrame, Buffer.concat([exec, bigInput])]) {
    const socket = await rawConnection(container.spec.socketPath)
    const closed = once(socket, 'close')
    socket.write(bytes)
    await closed
  }
  const late = await shims.watch(ctx, container.spec.socketPath)
  assert.deepEqual(await late.started, { kind: 'running', pid })
  late.close()
})

test('requests that nobody knows or that make no sense are answered with what is wrong', async t => {
  const { launch, ctx } = await startShims(t)
  const container = await launch({})
  await container.started()
  const cases = [
    { type: 500, fields: [], errno: constants.errno.ENOSYS },
    { type: frameTypes.kill, fields: [], errno: constants.errno.EINVAL },
    { type: frameTypes.kill, fields: [[tags.signal, 'abc']] as const, errno: 71 /* EPROTO */ },
    { type: frameTypes.exec, fields: [], errno: constants.errno.EINVAL },
    { type: frameTypes.input, fields: [], errno: constants.errno.ENOSYS },
  ]
  for (const { type, fields, errno } of cases) {
    const connection = await connectFrames(ctx, container.spec.socketPath)
    await connection.send({ id: 77, type, fields })
    const answer = await connection.receive()
    assert.ok(answer)
    assert.deepEqual([answer.id, answer.type], [77, frameTypes.error])
    assert.equal(fieldNumber(answer, tags.errno, 0), errno)
    assert.equal(await connection.receive(), undefined)
    connection.close()
  }
})

test('clients that vanish at any moment leave no process and no connection behind', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({ hasStdin: true, script: 'cat' })
  await container.started()
  const { socketPath } = container.spec
  const shimPid = await container.shimPid()
  assert.ok(shimPid)
  const openFiles = async (): Promise<number> => (await readdir(`/proc/${shimPid}/fd`)).length
  const filesBefore = await openFiles()
  const spec = { execId: 'x', hasTty: false, hasStdin: true, isKilledOnClose: true, startTimeoutMs: 30_000 }
  const probe = await container.exec('exit 0')
  await probe.exited
  probe.close()
  const processPath = `${container.spec.bundlePath}/test-0.json`
  const requests = [
    { id: 1, type: frameTypes.watch, fields: [] },
    { id: 1, type: frameTypes.attach, fields: [[tags.flags, 2]] as const },
    {
      id: 1,
      type: frameTypes.exec,
      fields: [
        [tags.path, processPath],
        [tags.flags, 6],
      ] as const,
    },
    {
      id: 1,
      type: frameTypes.exec,
      fields: [
        [tags.path, processPath],
        [tags.flags, 5],
      ] as const,
    },
  ]
  for (const request of requests) {
    const bytes = encodeFrame(request)
    for (const cut of [1, 12, bytes.length]) {
      const socket = await rawConnection(socketPath)
      socket.write(bytes.subarray(0, cut))
      socket.destroy()
    }
  }
  const session = await shims.exec(ctx, socketPath, { ...spec, processPath })
  assert.equal((await session.exited).exitCode, 0)
  session.close()
  const look = await container.exec('busybox ps -o comm')
  let text = ''
  for await (const { data } of look.output) text += data.toString()
  assert.deepEqual(text.trim().split('\n').slice(1).sort(), ['busybox', 'cat'])
  await waitUntil('as many open files as before', async () => (await openFiles()) === filesBefore)
})

test('more connections than the limit are refused with a reason, and can be made again later', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({})
  await container.started()
  const { socketPath } = container.spec
  const others = connectionsMax - 1 // the container's own watch is one
  const watches = await Promise.all(Array.from({ length: others }, () => shims.watch(ctx, socketPath)))
  for (const watch of watches) assert.equal((await watch.started).kind, 'running')
  const refused = await shims.watch(ctx, socketPath)
  await assert.rejects(refused.started, err => isKind(err, 'unavailable') && /too many/.test(err.message))
  for (const watch of watches) watch.close()
  await waitUntil('room for a connection', async () =>
    shims.kill(ctx, socketPath, SIGKILL).catch(() => false),
  )
  assert.equal((await container.watch.ended)?.kind, 'exited')
})

test('a container is reaped with everything in it, and nothing is left of its execs', async t => {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch({ script: 'sleep 1000 & sleep 1000 & (sleep 1000 &) ; sleep 1000' })
  const pid = await container.started()
  const session = await container.exec('setsid sleep 1000 & sleep 1000', { isKilledOnClose: false })
  assert.equal(await shims.kill(ctx, container.spec.socketPath, SIGKILL), true)
  assert.equal((await session.exited).exitCode, 137)
  await container.watch.gone
  assert.equal(await isAlive(pid), false)
  assert.equal(await isAlive(session.pid), false)
})

test('a process that outlives init in the namespace of the host delays its end a little and is ended too', async t => {
  const { launch } = await startShims(t)
  const container = await launch({ hasHostPid: true, script: 'sleep 1000 & echo $!; exit 2' })
  const began = Date.now()
  const state = await container.watch.ended
  assert.ok(state?.kind === 'exited')
  assert.equal(state.exit.exitCode, 2)
  assert.ok(Date.now() - began < 5_000)
  const pid = Number((await container.log())[0]?.content)
  assert.ok(pid > 1)
  await container.watch.gone
  await waitUntil('the end of the process', async () => !(await isAlive(pid)))
})
