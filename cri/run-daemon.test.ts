import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { isKind, RuntimeError } from '#base/errors'
import { makeDirectory, pathExists } from '#base/files'
import { silentLog } from '#base/log'
import { socketPathOf } from './config/engine-config.ts'
import { createCriClient } from './grpc/client.ts'
import { runtimeMethods as rpc } from './grpc/methods.ts'
import { grpcCode } from './grpc/status.ts'
import { runDaemon } from './run-daemon.ts'
import { makeTestDirectory, testConfig } from './testing/door-fixture.ts'
import { createFakeEngine } from './testing/fake-engine.ts'

async function prepare(t: TestContext) {
  const config = testConfig(await makeTestDirectory(t))
  await makeDirectory(config.state)
  const stop = new AbortController()
  const client = createCriClient(socketPathOf(config))
  t.after(() => {
    client.close()
  })
  const engine = createFakeEngine()
  const ctx = { signal: stop.signal, log: silentLog }
  return { config, engine, client, stop, ctx, pidFile: join(config.state, 'lighterd.pid') }
}

test('a starting daemon answers UNAVAILABLE, a started one serves, a stopped one leaves nothing', async t => {
  const { config, engine, client, ctx, pidFile } = await prepare(t)
  const starting = runDaemon(ctx, { config, engine })
  while (!(await pathExists(socketPathOf(config)))) await setImmediate()
  await assert.rejects(client.call(rpc.Version, {}), { code: grpcCode.unavailable, details: /starting/ })
  assert.equal(await pathExists(pidFile), false)
  engine.finishStart()
  const daemon = await starting
  assert.equal((await client.call(rpc.Version, {})).runtimeName, 'lighter')
  assert.equal(await readFile(pidFile, 'utf8'), `${process.pid}\n`)
  await daemon.stop()
  assert.equal(engine.isReady(), false)
  assert.equal(await pathExists(pidFile), false)
  assert.equal(await pathExists(socketPathOf(config)), false)
})

test('a daemon that may not have the directories opens no door', async t => {
  const { config, engine, ctx } = await prepare(t)
  engine.failNext(new RuntimeError('failed-precondition', 'taken'))
  await assert.rejects(runDaemon(ctx, { config, engine }), err => isKind(err, 'failed-precondition'))
  assert.equal(await pathExists(socketPathOf(config)), false)
})

test('a second daemon on the same socket is refused and the first one goes on', async t => {
  const first = await prepare(t)
  first.engine.finishStart()
  const daemon = await runDaemon(first.ctx, first)
  t.after(() => daemon.stop())
  const second = createFakeEngine()
  await assert.rejects(
    runDaemon(first.ctx, { config: first.config, engine: second }),
    err => isKind(err, 'failed-precondition') && err.message.includes(socketPathOf(first.config)),
  )
  assert.equal((await first.client.call(rpc.Version, {})).runtimeName, 'lighter')
  assert.equal(await pathExists(first.pidFile), true)
})

test('a stop while starting closes the door again', async t => {
  const { config, engine, ctx, stop, pidFile } = await prepare(t)
  const starting = runDaemon(ctx, { config, engine })
  while (!(await pathExists(socketPathOf(config)))) await setImmediate()
  stop.abort(new RuntimeError('cancelled', 'SIGTERM'))
  await assert.rejects(starting, err => isKind(err, 'cancelled'))
  assert.equal(await pathExists(socketPathOf(config)), false)
  assert.equal(await pathExists(pidFile), false)
})
