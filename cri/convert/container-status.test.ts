import assert from 'node:assert/strict'
import { test } from 'node:test'
import Long from 'long'
import { v1 } from '#proto'
import { sampleContainer, sampleContainerId, samplePodId } from '../testing/samples.ts'
import { toContainerConfig } from './container-config.ts'
import { toContainerFilter } from './container-filter.ts'
import { fromContainerPhase, fromContainerToStatus } from './container-status.ts'

const ids = { id: sampleContainerId(1), podId: samplePodId(1) }

test('a filter for a state finds exactly the phases that show as that state', () => {
  const phases = ['creating', 'created', 'starting', 'running', 'exited', 'removing'] as const
  for (const state of [
    v1.ContainerState.CONTAINER_CREATED,
    v1.ContainerState.CONTAINER_RUNNING,
    v1.ContainerState.CONTAINER_EXITED,
    v1.ContainerState.CONTAINER_UNKNOWN,
  ]) {
    assert.deepEqual(
      toContainerFilter({ state: { state } }).phases,
      phases.filter(phase => fromContainerPhase(phase) === state),
    )
  }
})

test('resources and their 64 bits come back as they were asked for', () => {
  const resources = {
    cpuPeriod: Long.fromNumber(100_000),
    cpuQuota: Long.fromNumber(-1),
    cpuShares: Long.fromNumber(2),
    memoryLimitInBytes: Long.fromString('9007199254740991'),
    memorySwapLimitInBytes: Long.fromNumber(7),
    oomScoreAdj: Long.fromNumber(-998),
    cpusetCpus: '0-1',
    cpusetMems: '0',
    hugepageLimits: [{ pageSize: '1GB', limit: Long.fromNumber(0, true) }],
    unified: { 'memory.high': '1' },
  }
  const config = toContainerConfig({
    metadata: { name: 'web' },
    image: { image: 'web' },
    linux: { resources },
  })
  const { linux } = fromContainerToStatus(sampleContainer(ids, config), 'web').resources ?? {}
  const throughBytes = (message: v1.LinuxContainerResources.$Properties) =>
    v1.LinuxContainerResources.decode(v1.LinuxContainerResources.encode(message).finish())
  assert.ok(linux)
  assert.deepEqual(throughBytes(linux), throughBytes(resources))
})

test('the stop signal is the one in force', () => {
  const config = toContainerConfig({ metadata: { name: 'web' }, image: { image: 'web' } })
  const container = { ...sampleContainer(ids, config), stopSignal: 'SIGQUIT' }
  assert.equal(fromContainerToStatus(container, 'web').stopSignal, v1.Signal.SIGNAL_SIGQUIT)
})
