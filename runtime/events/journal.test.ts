import assert from 'node:assert/strict'
import test from 'node:test'
import { type Clock, createClock } from '#base/clock'
import { isKind } from '#base/errors'
import { type LogFields, silentLog } from '#base/log'
import type { Container, ContainerPhase } from '../model/container.ts'
import type { ContainerEvent, EventOperations } from '../model/event.ts'
import type { Pod, PodPhase } from '../model/pod.ts'
import { createTable, type Table } from '../state/table.ts'
import { createMemoryRecords } from '../testing/memory-records.ts'
import { sampleContainer, samplePod } from '../testing/samples.ts'
import { createJournal, journalLimits } from './journal.ts'

interface Bench {
  readonly pods: Table<Pod>
  readonly containers: Table<Container>
  readonly events: EventOperations
  readonly others: EventOperations
  readonly warnings: LogFields[]
}

function bench(clock: Clock = createClock()): Bench {
  const pods = createTable('pod sandbox', createMemoryRecords<Pod>())
  const containers = createTable('container', createMemoryRecords<Container>())
  const warnings: LogFields[] = []
  const log = { ...silentLog, warn: (fields: LogFields) => void warnings.push(fields) }
  const journal = createJournal({ pods, containers, clock, log })
  return { pods, containers, events: journal.as('k8s.io'), others: journal.as('docker'), warnings }
}

async function podTo(table: Table<Pod>, id: string, ...phases: PodPhase[]): Promise<void> {
  for (const phase of phases) await table.update(id, current => ({ ...current, phase }))
}

async function containerTo(table: Table<Container>, id: string, ...phases: ContainerPhase[]): Promise<void> {
  for (const phase of phases) await table.update(id, current => ({ ...current, phase }))
}

/** Collects what is told from now on; `stop` ends the reading and answers it. */
function follow(events: EventOperations): { readonly stop: () => Promise<readonly ContainerEvent[]> } {
  const leave = new AbortController()
  const read: ContainerEvent[] = []
  const subscription = events.subscribe(leave.signal)
  const done = (async () => {
    for await (const event of subscription) read.push(event)
  })()
  return {
    async stop() {
      await new Promise(resolve => setImmediate(resolve))
      leave.abort()
      await done
      return read
    },
  }
}

test('a life is told in order, each event with everything about its pod at that moment', async () => {
  const { pods, containers, events } = bench()
  const reader = follow(events)
  const pod = samplePod({ phase: 'creating' })
  const one = sampleContainer({ podId: pod.id, phase: 'creating' })
  const other = sampleContainer({ phase: 'creating' })
  await pods.insert(pod)
  await podTo(pods, pod.id, 'ready')
  await containers.insert(one)
  await containers.insert(other)
  await containerTo(containers, one.id, 'created', 'starting', 'running', 'exited')
  await podTo(pods, pod.id, 'stopping', 'notready', 'removing')
  await containerTo(containers, one.id, 'removing')
  await containers.remove(one.id)
  await pods.remove(pod.id)
  const told = await reader.stop()
  assert.deepEqual(
    told.map(event => [
      event.kind,
      event.id === pod.id ? 'pod' : 'one',
      event.pod.phase,
      event.containers.map(container => container.phase).join(),
    ]),
    [
      ['created', 'pod', 'ready', ''],
      ['started', 'pod', 'ready', ''],
      ['created', 'one', 'ready', 'created'],
      ['started', 'one', 'ready', 'running'],
      ['stopped', 'one', 'ready', 'exited'],
      ['stopped', 'pod', 'notready', 'exited'],
      ['deleted', 'one', 'removing', ''],
      ['deleted', 'pod', 'removing', ''],
    ],
  )
})

test('times grow strictly over events and snapshots, also when the clock is set back', async () => {
  let wallMs = 1_700_000_000_000
  const { pods, events } = bench(createClock(() => wallMs))
  const pod = samplePod({ phase: 'ready' })
  await pods.insert(pod)
  const reader = follow(events)
  const snapshots: bigint[] = []
  for (const step of [0, 5_000, -3_600_000, 0, 1]) {
    wallMs += step
    snapshots.push(events.snapshot(pod.id).timestampNs)
    await podTo(pods, pod.id, 'stopping', 'notready')
    snapshots.push(events.snapshot(pod.id).timestampNs)
  }
  const told = (await reader.stop()).map(event => event.timestampNs)
  assert.equal(told.length, 5)
  const inOrder = told.flatMap((time, i) => [snapshots[2 * i] ?? 0n, time, snapshots[2 * i + 1] ?? 0n])
  for (let i = 1; i < inOrder.length; i++) assert.ok((inOrder[i] ?? 0n) > (inOrder[i - 1] ?? 0n), String(i))
})

test('owners hear of their own objects only, and see only those', async () => {
  const { pods, containers, events, others } = bench()
  const [own, foreign] = [follow(events), follow(others)]
  const pod = samplePod({ phase: 'creating', owner: 'docker' })
  await pods.insert(pod)
  await podTo(pods, pod.id, 'ready')
  const container = sampleContainer({ podId: pod.id, owner: 'docker', phase: 'creating' })
  await containers.insert(container)
  await containerTo(containers, container.id, 'created')
  assert.deepEqual(await own.stop(), [])
  assert.equal((await foreign.stop()).length, 3)
  assert.throws(
    () => events.snapshot(pod.id),
    err => isKind(err, 'not-found'),
  )
  assert.deepEqual(
    others.snapshot(pod.id.slice(0, 12)).containers.map(({ id }) => id),
    [container.id],
  )
})

test('a snapshot leaves out what is being made or removed', async () => {
  const { pods, containers, events } = bench()
  const pod = samplePod()
  await pods.insert(pod)
  const phases: readonly ContainerPhase[] = [
    'creating',
    'created',
    'starting',
    'running',
    'exited',
    'removing',
  ]
  for (const phase of phases) await containers.insert(sampleContainer({ podId: pod.id, phase }))
  const { containers: shown } = events.snapshot(pod.id)
  assert.deepEqual(
    shown.map(({ phase }) => phase),
    ['exited', 'running', 'starting', 'created'],
  )
})

test('the latest container of a pod comes first, since a kubelet takes the first with a name', async () => {
  const { pods, containers, events } = bench()
  const pod = samplePod({ phase: 'ready' })
  await pods.insert(pod)
  const made = [3, 1, 2].map(time => sampleContainer({ podId: pod.id, createdAtNs: BigInt(time) }))
  for (const container of made) await containers.insert(container)
  const { containers: shown } = events.snapshot(pod.id)
  assert.deepEqual(
    shown.map(({ createdAtNs }) => createdAtNs),
    [3n, 2n, 1n],
  )
})

test('a reader that never reads loses the oldest events and holds up nobody', async () => {
  const { pods, events, warnings } = bench()
  const pod = samplePod()
  await pods.insert(pod)
  const leave = new AbortController()
  const deaf = events.subscribe(leave.signal)
  const reader = follow(events)
  const rounds = journalLimits.queuedEvents + 10
  for (let i = 0; i < rounds; i++) await podTo(pods, pod.id, 'stopping', 'notready')
  assert.equal((await reader.stop()).length, rounds)
  assert.equal(deaf.dropped, 10)
  leave.abort()
  assert.deepEqual(warnings.at(-1), { owner: 'k8s.io', dropped: 10 })
})

test('readers are bounded, and one that left makes room', () => {
  const { events } = bench()
  const leave = new AbortController()
  events.subscribe(leave.signal)
  const rest = new AbortController()
  for (let i = 1; i < journalLimits.subscribers; i++) events.subscribe(rest.signal)
  assert.throws(
    () => events.subscribe(rest.signal),
    err => isKind(err, 'resource-exhausted'),
  )
  leave.abort()
  events.subscribe(rest.signal)
  rest.abort()
})

test('who leaves the iteration has left, whatever becomes of the signal', async () => {
  const { pods, events } = bench()
  const pod = samplePod()
  await pods.insert(pod)
  const { signal } = new AbortController()
  for (let i = 0; i <= journalLimits.subscribers; i++) {
    const subscription = events.subscribe(signal)
    await podTo(pods, pod.id, 'stopping', 'notready')
    for await (const event of subscription) {
      assert.equal(event.kind, 'stopped')
      break
    }
  }
})
