import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'node:test'
import { createCriClient } from '../../cri/grpc/client.ts'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { grpcCode } from '../../cri/grpc/status.ts'
import {
  type ContainerStatus,
  containerState,
  mode,
  type PodStatus,
  podState,
  sleeper,
} from '../harness/configs.ts'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { type CriEvent, type EventReader, readEvents } from '../harness/event-reader.ts'
import { eventually } from '../harness/eventually.ts'
import { crictlPath } from '../harness/paths.ts'
import { pidsOf } from '../harness/processes.ts'
import { finishedAt, startedAt } from '../harness/states.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()
const skip = await whyNoCrictl()
const hostNetwork = { namespaces: { network: mode.NODE, pid: mode.CONTAINER } }
const kinds: readonly string[] = ['created', 'started', 'stopped', 'deleted']

function kindOf(event: CriEvent): string {
  return kinds[event.containerEventType] ?? 'unknown'
}

function timeOf(event: CriEvent): bigint {
  return BigInt(event.createdAt.toString())
}

/** `what of whom`, with the states of the pod and its containers as the event tells them. */
function lines(events: readonly CriEvent[], names: ReadonlyMap<string, string>): readonly string[] {
  const stateOf = (status: ContainerStatus): string =>
    containerState[status.state ?? containerState.CONTAINER_CREATED].slice('CONTAINER_'.length)
  return events.map(event => {
    const pod = event.podSandboxStatus?.state === podState.SANDBOX_NOTREADY ? 'notready' : 'ready'
    const containers = event.containersStatuses.map(one => `${one.metadata?.name ?? ''} ${stateOf(one)}`)
    return [`${kindOf(event)} ${names.get(event.containerId) ?? '?'}`, pod, ...containers].join(', ')
  })
}

function isDeleted(id: string): (event: CriEvent) => boolean {
  return event => event.containerId === id && kindOf(event) === 'deleted'
}

test(
  'the life of a pod is told in order, every event with the statuses of its moment',
  story(async s => {
    const reader = await readEvents(s.cri.client)
    const pod = await s.runPod()
    const main = await s.run(pod, { name: 'main', shell: sleeper.replace('exit 0', 'exit 3') })
    await s.exec(main, 'kill', '1').catch(() => undefined) // it may die with init before it ends by itself
    await reader.find('the end of main', event => event.containerId === main && kindOf(event) === 'stopped')
    const broken = await s.create(pod, { name: 'broken', command: ['/no/such/program'] })
    await assert.rejects(s.cri.startContainer(broken))
    const other = await s.run(pod, { name: 'other' })
    await s.cri.removeContainer(main)
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
    await reader.find('the end of the pod', isDeleted(pod.id))
    assert.equal(await reader.close(), undefined)
    const names = new Map([
      [pod.id, 'pod'],
      [main, 'main'],
      [broken, 'broken'],
      [other, 'other'],
    ])
    const told = lines(reader.events, names)
    // Containers of a pod that is removed are removed side by side.
    const [before, removed, last] = [told.slice(0, 12), told.slice(12, 14), told.slice(14)]
    assert.deepEqual(before, [
      'created pod, ready',
      'started pod, ready',
      'created main, ready, main CREATED',
      'started main, ready, main RUNNING',
      'stopped main, ready, main EXITED',
      'created broken, ready, broken CREATED, main EXITED',
      'stopped broken, ready, broken EXITED, main EXITED',
      'created other, ready, other CREATED, broken EXITED, main EXITED',
      'started other, ready, other RUNNING, broken EXITED, main EXITED',
      'deleted main, ready, other RUNNING, broken EXITED',
      'stopped other, notready, other EXITED, broken EXITED',
      'stopped pod, notready, other EXITED, broken EXITED',
    ])
    assert.deepEqual(removed.map(line => line.split(',')[0]).sort(), ['deleted broken', 'deleted other'])
    assert.deepEqual(last, ['deleted pod, notready'])
    const times = reader.events.map(timeOf)
    for (const [i, time] of times.entries()) assert.ok(i === 0 || time > (times[i - 1] ?? 0n))
    const exited = reader.events.find(event => event.containerId === main && kindOf(event) === 'stopped')
    assert.equal(exited?.containersStatuses[0]?.exitCode, 3)
  }),
)

test(
  'the shortest life has a start and an end, with their times',
  story(async s => {
    const reader = await readEvents(s.cri.client)
    const pod = await s.runPod(hostNetwork)
    const ids = await Promise.all([1, 2, 3].map(i => s.run(pod, { name: `c${String(i)}`, shell: 'exit 3' })))
    for (const id of ids) {
      const end = await reader.find(
        'the end',
        event => event.containerId === id && kindOf(event) === 'stopped',
      )
      const told = reader.events.filter(event => event.containerId === id)
      assert.deepEqual(told.map(kindOf), ['created', 'started', 'stopped'])
      const status = end.containersStatuses.find(one => one.id === id)
      assert.ok(status)
      assert.equal(status.exitCode, 3)
      assert.ok(startedAt(status) > 0n && finishedAt(status) >= startedAt(status))
    }
    await reader.close()
  }),
)

test(
  'a pod that could not be made is never told of',
  story(async s => {
    const reader = await readEvents(s.cri.client)
    await assert.rejects(s.runPod({ name: 'bad', sysctls: { 'net.ipv4.no_such_thing': '1' } }))
    const pod = await s.runPod(hostNetwork)
    await assert.rejects(s.create(pod, { image: 'registry.invalid/none:1' }))
    await s.cri.removePod(pod.id)
    await reader.find('the end of the pod', isDeleted(pod.id))
    await reader.close()
    assert.deepEqual(lines(reader.events, new Map([[pod.id, 'pod']])), [
      'created pod, ready',
      'started pod, ready',
      'stopped pod, notready',
      'deleted pod, notready',
    ])
  }),
)

/** What a kubelet has in its cache: the newest status of each pod, from events and from looks alike. */
interface Cache {
  readonly seen: Map<string, { readonly time: bigint; readonly text: string }>
  take(podId: string, time: bigint, text: string): void
}

function createCache(): Cache {
  const seen: Cache['seen'] = new Map()
  return {
    seen,
    take(podId, time, text) {
      const known = seen.get(podId)
      if (known) assert.notEqual(known.time, time)
      if (!known || time > known.time) seen.set(podId, { time, text })
    },
  }
}

interface Statuses {
  readonly podSandboxStatus?: PodStatus | null | undefined
  readonly containersStatuses: readonly ContainerStatus[]
}

function textOf({ podSandboxStatus, containersStatuses }: Statuses): string {
  const containers = containersStatuses.map(({ id, state }) => `${id ?? ''} ${String(state ?? 0)}`)
  return [podSandboxStatus?.state ?? 0, ...containers.sort()].join('; ')
}

async function look(
  s: Story,
  podSandboxId: string,
): Promise<{ readonly time: bigint; readonly text: string }> {
  const answer = await s.cri.client.call(rpc.PodSandboxStatus, { podSandboxId })
  const { status, containersStatuses, timestamp } = answer
  return {
    time: BigInt(timestamp.toString()),
    text: textOf({ podSandboxStatus: status, containersStatuses }),
  }
}

test(
  'a cache that is fed by events and by looks in any order ends with what is true',
  story(async s => {
    const reader = await readEvents(s.cri.client)
    const cache = createCache()
    const pods = await Promise.all([1, 2, 3].map(() => s.runPod(hostNetwork)))
    const lookAtAll = async (): Promise<void> => {
      for (const { id } of pods) {
        const { time, text } = await look(s, id)
        cache.take(id, time, text)
      }
    }
    const live = async (pod: (typeof pods)[number]): Promise<void> => {
      for (const name of ['a', 'b', 'c']) {
        const id = await s.run(pod, { name, ...(name === 'a' ? { shell: 'exit 0' } : {}) })
        if (name === 'b') await s.cri.stopContainer(id)
        await lookAtAll()
      }
    }
    await Promise.all(pods.map(live))
    await eventually('all has been told', () => {
      const stopped = reader.events.filter(event => kindOf(event) === 'stopped')
      return stopped.length === 2 * pods.length
    })
    for (const event of reader.events) {
      const podId = event.podSandboxStatus?.id ?? ''
      cache.take(podId, timeOf(event), textOf(event))
    }
    for (const { id } of pods) assert.equal(cache.seen.get(id)?.text, (await look(s, id)).text)
    await reader.close()
  }),
)

test(
  'fifty readers hear the same, though one of them never reads, and the daemon stops at once',
  story(async s => {
    const deaf = createCriClient(s.scratch.socketPath)
    const clients = Array.from({ length: 49 }, () => createCriClient(s.scratch.socketPath))
    const leave = new AbortController()
    try {
      await deaf.stream(rpc.GetContainerEvents, {}, { signal: leave.signal }).opened
      const readers = await Promise.all(clients.map(client => readEvents(client)))
      const pod = await s.runPod(hostNetwork)
      for (let i = 0; i < 5; i++) await s.cri.removeContainer(await s.run(pod, { name: `c${String(i)}` }))
      await s.cri.removePod(pod.id)
      await Promise.all(readers.map(reader => reader.find('the end of the pod', isDeleted(pod.id))))
      const [first] = readers
      for (const { events } of readers) assert.deepEqual(events.map(timeOf), first?.events.map(timeOf))
      assert.equal(first?.events.length, 4 + 5 * 4)
      const begin = performance.now()
      assert.equal(await s.daemon.stop(), 0)
      assert.ok(performance.now() - begin < 5_000, 'it took too long to stop')
      for (const end of await Promise.all(readers.map(ended))) {
        assert.equal((end as { readonly code?: number }).code, grpcCode.unavailable)
      }
    } finally {
      leave.abort()
      for (const client of [deaf, ...clients]) client.close()
    }
    await s.daemon.start()
  }),
)

/** The error that ended a reading from outside. */
function ended(reader: EventReader): Promise<unknown> {
  return eventually('the stream ends', () => reader.close())
}

test(
  'who subscribes after a restart hears of the containers that lived through it',
  story(async s => {
    const pod = await s.runPod(hostNetwork)
    const early = await s.run(pod, { name: 'early', shell: 'sleep 1.75; exit 4' })
    const late = await s.run(pod, { name: 'late' })
    await s.daemon.kill()
    await eventually('early ends unseen', async () => (await pidsOf('sh', 'sleep 1.75')).length === 0)
    await s.daemon.start()
    const reader = await readEvents(s.cri.client)
    assert.equal((await s.cri.containerStatus(early)).exitCode, 4)
    await s.cri.stopContainer(late)
    const end = await reader.find('the end of late', event => event.containerId === late)
    assert.equal(kindOf(end), 'stopped')
    assert.deepEqual(
      end.containersStatuses.map(status => [status.id, status.state]),
      [late, early].map(id => [id, containerState.CONTAINER_EXITED]),
    )
    await reader.close()
    // What happened while nobody could tell is found by looking, as the kubelet does when its stream ends.
    assert.ok(!reader.events.some(event => event.containerId === early))
  }),
)

test(
  'crictl events prints what happens',
  { skip },
  story(async s => {
    await createCrictl(s.scratch)
    const crictl = spawn(crictlPath, ['--config', join(s.scratch.dir, 'crictl.yaml'), 'events', '-o', 'json'])
    try {
      let output = ''
      crictl.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
      await eventually('crictl reads', async () =>
        (await s.daemon.log()).includes('"rpc":"GetContainerEvents"'),
      )
      const pod = await s.runPod(hostNetwork)
      await s.run(pod, { name: 'main' })
      await s.cri.removePod(pod.id)
      await eventually(
        'crictl tells the end of the pod',
        () => output.match(/CONTAINER_DELETED_EVENT/g)?.length === 2,
      )
      for (const kind of kinds) assert.ok(output.includes(`CONTAINER_${kind.toUpperCase()}_EVENT`), kind)
      assert.ok(output.includes(pod.id))
    } finally {
      crictl.kill()
      await once(crictl, 'exit')
    }
  }),
)
