import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { createIds } from '#base/ids'
import { createKeyedLock } from '#base/locks'
import { silentLog } from '#base/log'
import type { ContainerDeps } from '../containers/container-deps.ts'
import { createExecs } from '../containers/execs.ts'
import { createSupervisor } from '../containers/supervisor.ts'
import type { EngineLimits } from '../engine-config.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { noPlugins } from '../plugins/no-plugins.ts'
import { createMakeOnce } from '../state/make-once.ts'
import { createNames } from '../state/names.ts'
import { createPaths } from '../state/paths.ts'
import { createTable } from '../state/table.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { createFakeHost, type FakeHost } from './fake-host.ts'
import { createFakeShims, type FakeShim, type FakeShims } from './fake-shims.ts'
import { createMemoryRecords } from './memory-records.ts'
import { sampleContainer, samplePod } from './samples.ts'

/** Everything the container operations need, faked; one pod, and containers as a test adds them. */
export interface ContainerBench {
  readonly deps: ContainerDeps
  readonly clock: FakeClock
  readonly shims: FakeShims
  readonly host: FakeHost
  readonly pod: Pod
  /** What was asked of the OCI runtime and the root file systems, in order. */
  readonly calls: string[]
  /** A running container that is watched, and its shim. */
  addRunning(
    changes?: Partial<Container>,
  ): Promise<{ readonly container: Container; readonly shim: FakeShim }>
}

export const testCtx: Ctx = { signal: new AbortController().signal, log: silentLog }

export async function createContainerBench(): Promise<ContainerBench> {
  const clock = createFakeClock()
  const shims = createFakeShims()
  const calls: string[] = []
  const host = createFakeHost()
  const pod = samplePod()
  const pods = createTable('pod sandbox', createMemoryRecords<Pod>())
  await pods.insert(pod)
  const table = createTable('container', createMemoryRecords<Container>())
  const paths = createPaths({ rootDir: '/nowhere/root', stateDir: '/nowhere/state' })
  const supervisor = createSupervisor({
    table,
    shims,
    paths,
    readExitFile: () => Promise.resolve(undefined),
    killLost: (_ctx, { id }) => {
      calls.push(`kill lost ${id}`)
      return Promise.resolve()
    },
    onEnded: (ctx, container) => noPlugins.containerStopped(ctx, container),
    now: () => clock.now(),
    log: silentLog,
  })
  const deps: ContainerDeps = {
    table,
    pods,
    names: createNames('container', () => ''),
    locks: createKeyedLock(),
    makeOnce: createMakeOnce({ what: 'container', stageOf: id => table.get(id)?.stage ?? '' }),
    host,
    shims,
    supervisor,
    execs: createExecs({ writeProcess: () => Promise.resolve(), shims, paths, ids: createIds() }),
    images: fakeImages(calls),
    bundles: {
      prepare: () => Promise.reject(new Error('not in this test')),
      mountLabel: () => undefined,
      plannedResources: () => Promise.resolve({ devices: [] }),
      updateResources: ({ bundlePath }) => Promise.resolve(void calls.push(`update bundle ${bundlePath}`)),
    },
    runtimes: fakeRuntimes(calls),
    plugins: noPlugins,
    checkpoints: noCheckpoints,
    paths,
    limits,
    clock,
    ids: createIds(),
    log: silentLog,
  }
  return {
    deps,
    clock,
    shims,
    host,
    pod,
    calls,
    async addRunning(changes = {}) {
      const container = sampleContainer({ podId: pod.id, ...changes })
      await table.insert(container)
      const shim = shims.at(paths.container(container.id).socket)
      shim.tell({ kind: 'running', pid: 4711 })
      await supervisor.watch(testCtx, container.id)
      return { container, shim }
    },
  }
}

const limits: EngineLimits = {
  layerDownloads: 1,
  pullProgressTimeoutMs: 1,
  manifestBytes: 1,
  layerBytes: 1,
  layerInodes: 1,
  cniPluginTimeoutMs: 1000,
  runtimeTimeoutMs: 1000,
  execSyncBytes: 8,
}

const noCheckpoints: ContainerDeps['checkpoints'] = {
  open: (_ctx, archive) => Promise.reject(new RuntimeError('not-found', `there is no ${archive}`)),
  openImage: () => Promise.resolve(undefined),
  criuDirectory: () => Promise.resolve('/nowhere/criu'),
  restoreErrors: () => Promise.resolve(''),
}

function fakeImages(calls: string[]): ContainerDeps['images'] {
  return {
    find: () => undefined,
    rootfs: {
      prepare: () => Promise.resolve(),
      remove: (_ctx, { key }) => Promise.resolve(void calls.push(`remove rootfs ${key}`)),
      usage: () => Promise.resolve({ bytes: 0, inodes: 0 }),
      layersOf: () => ({ upper: '/nowhere/upper', layers: [] }),
      mountpoint: '/nowhere',
      keys: () => Promise.resolve([]),
    },
  }
}

function fakeRuntimes(calls: string[]): ContainerDeps['runtimes'] {
  return {
    options: name => ({
      name,
      path: '/usr/sbin/runc',
      isPrivilegedWithoutHostDevices: false,
      allowedAnnotations: [],
      hooksDir: '',
      hasDevicesOfUser: false,
    }),
    find: () =>
      Promise.resolve({
        path: '/usr/sbin/runc',
        version: '',
        hasRecursiveReadOnlyMounts: false,
        hasSeccomp: true,
        hasApparmor: false,
        hasUserNamespaces: false,
      }),
    delete: (_ctx, { id }) => Promise.resolve(void calls.push(`delete ${id}`)),
    update: (_ctx, { id }) => Promise.resolve(void calls.push(`update ${id}`)),
    hasSystemdCgroup: false,
    cgroups: path => [`/cgroup${path}`],
    oomPath: () => undefined,
  }
}
