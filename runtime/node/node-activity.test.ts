import assert from 'node:assert/strict'
import test from 'node:test'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { createTable } from '../state/table.ts'
import { createMemoryRecords } from '../testing/memory-records.ts'
import { sampleContainer, samplePod } from '../testing/samples.ts'
import { nodeActivity } from './node-activity.ts'

test('what is at work is shown with its step, what is at rest is not, and retries are added up', async () => {
  const pods = createTable('pod sandbox', createMemoryRecords<Pod>())
  const containers = createTable('container', createMemoryRecords<Container>())
  const pod = samplePod({ phase: 'creating', stage: 'record' })
  const container = sampleContainer({ phase: 'removing', stage: 'runtime' })
  await pods.insert(pod)
  await pods.insert(samplePod())
  await containers.insert(container)
  await containers.insert(sampleContainer())
  pods.setStage(pod.id, 'network')
  const retries = [
    { joined: 2, adopted: 1 },
    { joined: 3, adopted: 4 },
  ]
  assert.deepEqual(nodeActivity({ pods, containers, retries, journal: { dropped: 7 } }), {
    retriesJoined: 5,
    retriesAdopted: 5,
    eventsDropped: 7,
    stages: [
      { id: pod.id, phase: 'creating', stage: 'network' },
      { id: container.id, phase: 'removing', stage: 'runtime' },
    ],
  })
})
