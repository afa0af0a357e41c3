import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { makeDirectory, pathExists } from '#base/files'
import { socketPathOf } from '../config/engine-config.ts'
import { createCriClient } from '../grpc/client.ts'
import { runtimeMethods as rpc } from '../grpc/methods.ts'
import { runDaemon } from '../run-daemon.ts'
import { createRecordingLog, makeTestDirectory, testConfig } from '../testing/door-fixture.ts'
import { createFakeEngine } from '../testing/fake-engine.ts'
import { createMetrics } from './create-metrics.ts'

async function prepare(t: TestContext, port = 0) {
  const log = createRecordingLog()
  const config = {
    ...testConfig(await makeTestDirectory(t)),
    metrics: { enabled: true, address: '127.0.0.1', port },
  }
  await makeDirectory(config.state)
  const engine = createFakeEngine()
  engine.finishStart()
  const metrics = createMetrics({ config: config.metrics, version: '1', log })
  const ctx = { signal: new AbortController().signal, log }
  const url = () => String(log.lines.find(({ message }) => message === 'metrics served')?.fields['url'])
  return { config, url, run: () => runDaemon(ctx, { config, engine, metrics }) }
}

test('the RPCs of the door are counted on the page, and the page goes with the daemon', async t => {
  const { config, url, run } = await prepare(t)
  const daemon = await run()
  const client = createCriClient(socketPathOf(config))
  t.after(() => {
    client.close()
  })
  await client.call(rpc.Version, {})
  await assert.rejects(client.call(rpc.ContainerStatus, { containerId: 'none' }))
  await assert.rejects(client.call(rpc.CreateContainer, {}))
  for await (const message of client.stream(rpc.StreamContainers, {})) assert.ok(message)
  const text = await (await fetch(url())).text()
  const counted = [
    '{method="Version",code="OK"} 1',
    '{method="ContainerStatus",code="NotFound"} 1',
    '{method="CreateContainer",code="InvalidArgument"} 1',
    '{method="StreamContainers",code="OK"} 1',
  ]
  for (const one of counted) assert.ok(text.includes(`lighter_cri_requests_total${one}\n`), one)
  await daemon.stop()
  await assert.rejects(fetch(url()))
})

test('a daemon whose page cannot listen does not start, and leaves no door open', async t => {
  const first = await prepare(t)
  const daemon = await first.run()
  t.after(() => daemon.stop())
  const second = await prepare(t, Number(new URL(first.url()).port))
  await assert.rejects(
    second.run(),
    err => isKind(err, 'failed-precondition') && err.message.includes('metrics.port'),
  )
  assert.equal(await pathExists(socketPathOf(second.config)), false)
})
