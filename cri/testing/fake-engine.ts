import { isDeepStrictEqual } from 'node:util'
import { type Ctx, orAborted } from '#base/context'
import { type ErrorKind, RuntimeError } from '#base/errors'
import type {
  ContainerFilter,
  ContainerOperations,
  Engine,
  EngineService,
  ImageOperations,
  NodeOperations,
  NodeStatus,
  PodOperations,
  StatsOperations,
} from '#engine/engine'
import type { Container } from '#engine/model/container'
import type { Image, RegistryAuth } from '#engine/model/image'
import type { Pod } from '#engine/model/pod'
import { fakeActivity } from './fake-activity.ts'
import { type FakeCheckpoints, fakeCheckpoints } from './fake-checkpoints.ts'
import { createFakeEvents, type FakeEvents } from './fake-events.ts'
import { fakeSessions } from './fake-sessions.ts'
import { fakeStats } from './fake-stats.ts'
import { sampleContainer, sampleContainerId, sampleImage, samplePod, samplePodId } from './samples.ts'

/** An engine in memory that keeps the contract of engine.ts, and levers for tests. */
export interface FakeEngine extends EngineService {
  readonly pods: Map<string, Pod>
  readonly containers: Map<string, Container>
  readonly images: Map<string, Image>
  /** Credentials of the pulls, in order. */
  readonly pulls: { readonly reference: string; readonly auth: RegistryAuth | undefined }[]
  /** Makes the next call of an operation fail. */
  failNext(err: unknown): void
  /** Images whose pull waits until the caller gives up. */
  readonly slowImages: Set<string>
  nodeStatus: NodeStatus
  /** Tells an event to everybody who reads. */
  readonly tell: FakeEvents['tell']
  readonly checkpoints: FakeCheckpoints
  /** Settles start(), which waits for it. */
  finishStart(): void
}

const now = 1_700_000_100_000_000_000n

export function createFakeEngine(): FakeEngine {
  let failure: unknown
  let isReady = false
  let started: () => void = () => undefined
  const start = new Promise<void>(resolve => {
    started = resolve
  })
  const state: State = {
    pods: new Map(),
    containers: new Map(),
    images: new Map(),
    pulls: [],
    slowImages: new Set(),
    step() {
      const err = failure
      failure = undefined
      // A test may ask for anything to be thrown, as a bug would.
      if (err !== undefined) throw err as Error
    },
  }
  const events = createFakeEvents(state)
  const fake: FakeEngine = {
    ...state,
    tell: events.tell,
    checkpoints: fakeCheckpoints(),
    nodeStatus: readyNode,
    failNext(err) {
      failure = err
    },
    finishStart: () => {
      started()
    },
    claim() {
      state.step()
      return Promise.resolve()
    },
    async start(ctx) {
      await orAborted(ctx, start)
      isReady = true
    },
    stop() {
      isReady = false
      return Promise.resolve()
    },
    isReady: () => isReady,
    as: () => lazily(opened),
  }
  const node: NodeOperations = {
    status: () => {
      state.step()
      return Promise.resolve(fake.nodeStatus)
    },
    activity: () => fakeActivity(state),
  }
  /** A door may take its view at any time, and use it only when the engine is ready. */
  const opened = () => {
    if (!isReady) throw error('unavailable', 'the engine is starting')
    return engine
  }
  const pods = fakePods(state)
  const engine: Engine = {
    pods,
    containers: fakeContainers(state),
    images: fakeImages(state),
    stats: statsOf(state, pods),
    node,
    sessions: fakeSessions(),
    events: events.operations,
    checkpoints: fake.checkpoints,
  }
  return fake
}

function lazily(opened: () => Engine): Engine {
  return {
    get pods() {
      return opened().pods
    },
    get containers() {
      return opened().containers
    },
    get images() {
      return opened().images
    },
    get stats() {
      return opened().stats
    },
    get node() {
      return opened().node
    },
    get sessions() {
      return opened().sessions
    },
    get events() {
      return opened().events
    },
    get checkpoints() {
      return opened().checkpoints
    },
  }
}

const readyNode: NodeStatus = {
  runtime: { isTrue: true, reason: '', message: '' },
  network: { isTrue: false, reason: 'NetworkPluginNotReady', message: 'no conf list in /etc/cni/net.d' },
  handlersUsable: { isTrue: true, reason: '', message: '' },
  cgroupDriver: 'cgroupfs',
  handlers: [
    { name: '', hasRecursiveReadOnlyMounts: true, hasUserNamespaces: false },
    { name: 'runc', hasRecursiveReadOnlyMounts: true, hasUserNamespaces: false },
  ],
  hasSupplementalGroupsPolicy: true,
}

interface State {
  readonly pods: Map<string, Pod>
  readonly containers: Map<string, Container>
  readonly images: Map<string, Image>
  readonly pulls: { readonly reference: string; readonly auth: RegistryAuth | undefined }[]
  readonly slowImages: Set<string>
  step(): void
}

function fakePods(state: State): PodOperations {
  const { pods, containers } = state
  const stop = (id: string) => {
    state.step()
    const pod = lookup(pods, id)
    if (!pod) return
    pods.set(pod.id, { ...pod, phase: 'notready', isNetworkAttached: false })
    for (const one of containers.values()) if (one.podId === pod.id) kill(state, one)
  }
  return {
    run: async (_ctx, { config, runtimeHandler }) => {
      await Promise.resolve()
      state.step()
      const same = [...pods.values()].find(pod => isDeepStrictEqual(pod.config.metadata, config.metadata))
      if (same) throw error('already-exists', `pod sandbox ${same.id} has that name`)
      const pod = { ...samplePod(samplePodId(pods.size + 1), config), runtimeHandler }
      pods.set(pod.id, pod)
      return pod.id
    },
    stop: async (_ctx, id) => {
      await Promise.resolve()
      stop(id)
    },
    remove: async (_ctx, id) => {
      await Promise.resolve()
      const pod = lookup(pods, id)
      if (!pod) return
      stop(id)
      for (const one of containers.values()) if (one.podId === pod.id) containers.delete(one.id)
      pods.delete(pod.id)
    },
    get: id => {
      state.step()
      return found(lookup(pods, id), `pod sandbox "${id}"`)
    },
    list: filter =>
      [...pods.values()].filter(
        pod =>
          pod.id.startsWith(filter.id ?? '') &&
          (filter.isReady === undefined || filter.isReady === (pod.phase === 'ready')) &&
          hasLabels(pod.config.labels, filter.labels),
      ),
    updateResources: async (_ctx, { id, ...given }) => {
      await Promise.resolve()
      state.step()
      const pod = found(lookup(pods, id), `pod sandbox "${id}"`)
      pods.set(pod.id, { ...pod, config: { ...pod.config, ...given } })
    },
  }
}

function fakeContainers(state: State): ContainerOperations {
  const { pods, containers } = state
  const need = (id: string) => found(lookup(containers, id), `container "${id}"`)
  return {
    create: async (_ctx, { podId, config }) => {
      await Promise.resolve()
      state.step()
      const pod = found(lookup(pods, podId), `pod sandbox "${podId}"`)
      const id = sampleContainerId(containers.size + 1)
      containers.set(id, sampleContainer({ id, podId: pod.id }, config))
      return id
    },
    start: async (_ctx, id) => {
      await Promise.resolve()
      state.step()
      const one = need(id)
      if (one.phase !== 'created') throw error('failed-precondition', `container ${one.id} is ${one.phase}`)
      containers.set(one.id, { ...one, phase: 'running', startedAtNs: now, pid: 4242 })
    },
    stop: async (_ctx, { id }) => {
      await Promise.resolve()
      state.step()
      const one = lookup(containers, id)
      if (one) kill(state, one)
    },
    remove: async (_ctx, id) => {
      await Promise.resolve()
      state.step()
      const one = lookup(containers, id)
      if (one) containers.delete(one.id)
    },
    get: id => {
      state.step()
      return need(id)
    },
    list: filter => select(state, filter),
    execSync: async (_ctx, { id, command, timeoutMs }) => {
      await Promise.resolve()
      state.step()
      if (need(id).phase !== 'running') throw error('failed-precondition', `container ${id} does not run`)
      const text = JSON.stringify({ command, timeoutMs })
      return { stdout: Buffer.from(text), stderr: Buffer.from([0xff, 0x00]), exitCode: 3 }
    },
    reopenLog: async (_ctx, id) => {
      await Promise.resolve()
      state.step()
      if (need(id).phase !== 'running') throw error('failed-precondition', `container ${id} does not run`)
    },
    updateResources: async (_ctx, { id, resources }) => {
      await Promise.resolve()
      state.step()
      const one = need(id)
      containers.set(one.id, { ...one, resources })
    },
  }
}

function fakeImages(state: State): ImageOperations {
  const { images } = state
  const find = (reference: string) =>
    [...images.values()].find(
      image =>
        image.id.startsWith(reference) || [...image.repoTags, ...image.repoDigests].includes(reference),
    )
  return {
    pull: async (ctx, { reference, auth }) => {
      state.step()
      state.pulls.push({ reference, auth })
      if (state.slowImages.has(reference)) await forever(ctx)
      const image = find(reference) ?? sampleImage(images.size + 1, [reference])
      images.set(image.id, image)
      return image.id
    },
    find,
    list: reference => {
      if (reference === undefined) return [...images.values()]
      const image = find(reference)
      return image ? [image] : []
    },
    remove: async (_ctx, reference) => {
      await Promise.resolve()
      state.step()
      const image = find(reference)
      if (image) images.delete(image.id)
    },
    usage: () => ({
      mountpoint: '/var/lib/lighter',
      usedBytes: 9_000_000_000,
      inodesUsed: 12_345,
      timestampNs: now,
    }),
  }
}

function statsOf(state: State, pods: PodOperations): StatsOperations {
  return fakeStats({
    container: id => {
      state.step()
      return found(lookup(state.containers, id), `container "${id}"`)
    },
    containers: filter => select(state, filter),
    pod: id => pods.get(id),
    pods: filter => pods.list(filter),
  })
}

function select(state: State, filter: ContainerFilter): Container[] {
  return [...state.containers.values()].filter(
    one =>
      one.id.startsWith(filter.id ?? '') &&
      one.podId.startsWith(filter.podId ?? '') &&
      (filter.phases?.includes(one.phase) ?? true) &&
      hasLabels(one.config.labels, filter.labels),
  )
}

function kill(state: State, one: Container): void {
  if (one.phase !== 'running') return
  const exit = { exitCode: 137, reason: 'Error', message: '' }
  state.containers.set(one.id, { ...one, phase: 'exited', finishedAtNs: now + 1n, pid: undefined, exit })
}

/** Never gets anywhere; ends when the caller gives up. */
function forever(ctx: Ctx): Promise<never> {
  return orAborted(ctx, new Promise<never>(() => undefined))
}

function lookup<Item extends { readonly id: string }>(
  items: ReadonlyMap<string, Item>,
  id: string,
): Item | undefined {
  const matches = [...items.values()].filter(item => item.id.startsWith(id))
  if (matches.length > 1) throw error('invalid-argument', `id "${id}" is ambiguous`)
  return matches[0]
}

function found<Item>(item: Item | undefined, name: string): Item {
  if (item === undefined) throw error('not-found', `there is no ${name}`)
  return item
}

function hasLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
}

function error(kind: ErrorKind, message: string): RuntimeError {
  return new RuntimeError(kind, message)
}
