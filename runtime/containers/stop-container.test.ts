import assert from 'node:assert/strict'
import { constants } from 'node:os'
import test from 'node:test'
import type { ShimState } from '#shim/shim'
import { createContainerBench, testCtx } from '../testing/container-bench.ts'
import { sampleContainer, sampleContainerConfig } from '../testing/samples.ts'
import { createStopContainer } from './stop-container.ts'

const { SIGTERM, SIGKILL } = constants.signals
const killed: ShimState = {
  kind: 'exited',
  exit: { exitCode: 137, signal: SIGKILL, isOomKilled: false, finishedAtNs: 5n },
}
const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('a process that obeys gets its stop signal and no SIGKILL', async () => {
  const bench = await createContainerBench()
  const { container, shim } = await bench.addRunning()
  bench.shims.onKill = one => {
    one.tell({ kind: 'exited', exit: { exitCode: 0, signal: 0, isOomKilled: false, finishedAtNs: 5n } })
  }
  await createStopContainer(bench.deps)(testCtx, { id: container.id, timeoutMs: 10_000 })
  assert.deepEqual(shim.signals, [SIGTERM])
  assert.equal(bench.deps.table.resolve(container.id).phase, 'exited')
  assert.equal(bench.clock.sleepers, 0)
})

test('a process that ignores the signal is killed when its grace is over', async () => {
  const bench = await createContainerBench()
  const { container, shim } = await bench.addRunning()
  bench.shims.onKill = (one, signal) => {
    if (signal === SIGKILL) one.tell(killed)
  }
  const stopped = createStopContainer(bench.deps)(testCtx, { id: container.id, timeoutMs: 10_000 })
  await nextTurn()
  await bench.clock.advance(9_000)
  assert.deepEqual(shim.signals, [SIGTERM])
  await bench.clock.advance(1_001)
  await stopped
  assert.deepEqual(shim.signals, [SIGTERM, SIGKILL])
  assert.equal(bench.deps.table.resolve(container.id).exit?.exitCode, 137)
})

test('time-out 0 kills at once', async () => {
  const bench = await createContainerBench()
  const { container, shim } = await bench.addRunning()
  bench.shims.onKill = one => {
    one.tell(killed)
  }
  await createStopContainer(bench.deps)(testCtx, { id: container.id, timeoutMs: 0 })
  assert.deepEqual(shim.signals, [SIGKILL])
  assert.deepEqual(bench.host.calls, [])
})

test('a second call shortens the grace and sends no second stop signal', async () => {
  const bench = await createContainerBench()
  const { container, shim } = await bench.addRunning()
  bench.shims.onKill = (one, signal) => {
    if (signal === SIGKILL) one.tell(killed)
  }
  const stop = createStopContainer(bench.deps)
  const first = stop(testCtx, { id: container.id, timeoutMs: 600_000 })
  await nextTurn()
  const longer = stop(testCtx, { id: container.id, timeoutMs: 900_000 })
  const shorter = stop(testCtx, { id: container.id, timeoutMs: 1_000 })
  await nextTurn()
  await bench.clock.advance(1_001)
  await Promise.all([first, longer, shorter])
  assert.deepEqual(shim.signals, [SIGTERM, SIGKILL])
})

test('in a shared PID namespace the whole control group is killed', async () => {
  const bench = await createContainerBench()
  const config = sampleContainerConfig()
  const namespaces = { ...config.security.namespaces, pid: 'node' } as const
  const { container } = await bench.addRunning({
    config: { ...config, security: { ...config.security, namespaces } },
  })
  bench.shims.onKill = one => {
    one.tell(killed)
  }
  await createStopContainer(bench.deps)(testCtx, { id: container.id, timeoutMs: 0 })
  assert.deepEqual(bench.host.calls, [`killCgroup /cgroup${container.cgroupsPath} ${SIGKILL}`])
})

test('what does not run, or does not exist, is stopped already', async () => {
  const bench = await createContainerBench()
  const stop = createStopContainer(bench.deps)
  for (const phase of ['created', 'exited'] as const) {
    const container = sampleContainer({ podId: bench.pod.id, phase })
    await bench.deps.table.insert(container)
    await stop(testCtx, { id: container.id, timeoutMs: 0 })
    assert.equal(bench.deps.table.resolve(container.id).phase, phase)
  }
  await stop(testCtx, { id: 'ffff', timeoutMs: 0 })
})
