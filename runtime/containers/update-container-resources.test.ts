import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import type { LinuxResources } from '../model/linux.ts'
import { mergeResources } from '../oci/merge-resources.ts'
import { type ContainerBench, createContainerBench, testCtx } from '../testing/container-bench.ts'
import { sampleContainer } from '../testing/samples.ts'
import { createUpdateContainerResources } from './update-container-resources.ts'

const nothing = mergeResources(undefined, {
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpuShares: 0,
  memoryLimitBytes: 0,
  memorySwapLimitBytes: 0,
  oomScoreAdj: 0,
  cpusetCpus: '',
  cpusetMems: '',
  hugepageLimits: [],
  unified: {},
})
const initial: LinuxResources = { ...nothing, cpuShares: 512, memoryLimitBytes: 1000, oomScoreAdj: 7 }

function update(bench: ContainerBench, id: string, change: Partial<LinuxResources>): Promise<void> {
  const resources = { ...nothing, ...change }
  return createUpdateContainerResources(bench.deps)(testCtx, { id, resources })
}

test('the kernel, the bundle and the record of a running container get the new limits, the others stay', async () => {
  const bench = await createContainerBench()
  const { container } = await bench.addRunning({ resources: initial })
  await update(bench, container.id.slice(0, 12), { memoryLimitBytes: 2000, cpuQuotaUs: -1, oomScoreAdj: 500 })
  const { bundle } = bench.deps.paths.container(container.id)
  assert.deepEqual(bench.calls, [`update ${container.id}`, `update bundle ${bundle}`])
  assert.deepEqual(bench.deps.table.resolve(container.id).resources, {
    ...initial,
    memoryLimitBytes: 2000,
    cpuQuotaUs: -1,
  })
})

test('a created container has no cgroup yet: its bundle and record change', async () => {
  const bench = await createContainerBench()
  const container = sampleContainer({ podId: bench.pod.id, phase: 'created', resources: undefined })
  await bench.deps.table.insert(container)
  await update(bench, container.id, { cpusetCpus: '0-1', oomScoreAdj: 500 })
  assert.deepEqual(bench.calls, [`update bundle ${bench.deps.paths.container(container.id).bundle}`])
  const { resources } = bench.deps.table.resolve(container.id)
  assert.deepEqual(resources, { ...nothing, cpusetCpus: '0-1', oomScoreAdj: 500 })
})

test('when the kernel refuses, the record says what is still in force', async () => {
  const bench = await createContainerBench()
  const { container } = await bench.addRunning({ resources: initial })
  const runtimes = {
    ...bench.deps.runtimes,
    update: () => Promise.reject(new RuntimeError('failed-precondition', 'device or resource busy')),
  }
  const resources = { ...nothing, memoryLimitBytes: 1 }
  await assert.rejects(
    createUpdateContainerResources({ ...bench.deps, runtimes })(testCtx, { id: container.id, resources }),
    err =>
      isKind(err, 'failed-precondition') && err.message.includes(container.id) && /busy/.test(err.message),
  )
  assert.deepEqual(bench.deps.table.resolve(container.id).resources, initial)
  assert.deepEqual(bench.calls, [])
})

for (const phase of ['creating', 'starting', 'exited', 'removing'] as const) {
  test(`a container that is ${phase} is refused`, async () => {
    const bench = await createContainerBench()
    const container = sampleContainer({ podId: bench.pod.id, phase })
    await bench.deps.table.insert(container)
    await assert.rejects(update(bench, container.id, { cpuShares: 2 }), err =>
      isKind(err, 'failed-precondition'),
    )
    assert.deepEqual(bench.calls, [])
  })
}

test('lists are merged by name', () => {
  const pages = (first: number, second: number) => [
    { pageSize: '2MB', limitBytes: first },
    { pageSize: '1GB', limitBytes: second },
  ]
  const current = {
    ...nothing,
    hugepageLimits: pages(1, 2),
    unified: { 'memory.high': '1', 'cpu.idle': '0' },
  }
  const change = {
    ...nothing,
    hugepageLimits: [{ pageSize: '1GB', limitBytes: 0 }],
    unified: { 'memory.high': 'max' },
  }
  const merged = mergeResources(current, change)
  assert.deepEqual(merged.hugepageLimits, pages(1, 0))
  assert.deepEqual(merged.unified, { 'memory.high': 'max', 'cpu.idle': '0' })
})
