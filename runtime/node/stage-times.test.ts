import assert from 'node:assert/strict'
import test from 'node:test'
import type { Container } from '../model/container.ts'
import { silentObserver } from '../model/observer.ts'
import type { Pod } from '../model/pod.ts'
import { createTable } from '../state/table.ts'
import { createMemoryRecords } from '../testing/memory-records.ts'
import { sampleContainer, samplePod } from '../testing/samples.ts'
import { createStageTimes } from './stage-times.ts'

function bench() {
  const pods = createTable('pod sandbox', createMemoryRecords<Pod>())
  const containers = createTable('container', createMemoryRecords<Container>())
  const told: unknown[] = []
  const time = { ms: 0 }
  const times = createStageTimes({
    pods,
    containers,
    observer: {
      ...silentObserver,
      stageLeft: step => told.push(step),
      containerExited: reason => told.push(reason),
    },
    nowMs: () => time.ms,
  })
  return { pods, containers, told, time, times }
}

test('each stage is told with its time when the next one begins, and the last when the object is at rest', async () => {
  const { pods, told, time, times } = bench()
  const pod = samplePod({ phase: 'creating', stage: 'record' })
  await pods.insert(pod)
  time.ms = 5
  pods.setStage(pod.id, 'network')
  time.ms = 12
  assert.equal(times.ageMs(pod.id), 7)
  pods.setStage(pod.id, 'network')
  assert.equal(times.ageMs(pod.id), 7)
  time.ms = 15
  await pods.update(pod.id, current => ({ ...current, phase: 'ready', stage: '' }))
  assert.equal(times.ageMs(pod.id), 0)
  assert.deepEqual(told, [
    { object: 'pod', stage: 'record', ms: 5 },
    { object: 'pod', stage: 'network', ms: 10 },
  ])
})

test('the stage of an object that is removed ends with it', async () => {
  const { containers, told, time, times } = bench()
  const container = sampleContainer({ phase: 'removing', stage: 'runtime' })
  await containers.insert(container)
  time.ms = 3
  await containers.remove(container.id)
  assert.deepEqual(told, [{ object: 'container', stage: 'runtime', ms: 3 }])
  assert.equal(times.ageMs(container.id), 0)
})

test('the end of a container is told once with its reason, and not for one that is loaded', async () => {
  const { containers, told } = bench()
  const exit = { exitCode: 137, reason: 'OOMKilled', message: '' }
  const container = sampleContainer({ phase: 'running', stage: '' })
  await containers.insert(container)
  await containers.insert(sampleContainer({ phase: 'exited', stage: '', exit }))
  await containers.update(container.id, current => ({ ...current, phase: 'exited', exit }))
  await containers.update(container.id, current => ({ ...current, finishedAtNs: 1n }))
  assert.deepEqual(told, ['OOMKilled'])
})
