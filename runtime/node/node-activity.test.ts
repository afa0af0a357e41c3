import assert from 'node:assert/strict'
import test from 'node:test'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { createTable } from '../state/table.ts'
import { createMemoryRecords } from '../testing/memory-records.ts'
import { sampleContainer, samplePod } from '../testing/samples.ts'
import { nodeActivity } from './node-activity.ts'

test('what is at work is shown with its step, what is at rest is counted, and retries are added up', async () => {
  const pods = createTable('pod sandbox', createMemoryRecords<Pod>())
  const containers = createTable('container', createMemoryRecords<Container>())
  const pod = samplePod({ phase: 'creating', stage: 'record' })
  const container = sampleContainer({ phase: 'removing', stage: 'runtime' })
  await pods.insert(pod)
  await pods.insert(samplePod({ phase: 'ready' }))
  await containers.insert(container)
  await containers.insert(sampleContainer({ phase: 'running' }))
  await containers.insert(sampleContainer({ phase: 'running' }))
  pods.setStage(pod.id, 'network')
  const activity = nodeActivity({
    pods,
    containers,
    retries: [
      { joined: 2, adopted: 1 },
      { joined: 3, adopted: 4 },
    ],
    journal: { dropped: 7 },
    stageTimes: { ageMs: id => (id === pod.id ? 1500 : 20) },
    supervisor: { watching: 2 },
    janitor: { pending: () => ['lost'] },
  })
  assert.deepEqual(activity, {
    pods: { creating: 1, ready: 1, stopping: 0, notready: 0, removing: 0 },
    containers: { creating: 0, created: 0, starting: 0, running: 2, exited: 0, removing: 1 },
    shims: 2,
    networksToRelease: 1,
    retriesJoined: 5,
    retriesAdopted: 5,
    eventsDropped: 7,
    stages: [
      { object: 'pod', id: pod.id, phase: 'creating', stage: 'network', ageMs: 1500 },
      { object: 'container', id: container.id, phase: 'removing', stage: 'runtime', ageMs: 20 },
    ],
  })
})
