import { join } from 'node:path'
import type { Clock } from '#base/clock'
import { type ContainerId, type Ids, type PodId, parsePodId } from '#base/ids'
import { createKeyedLock } from '#base/locks'
import type { Log } from '#base/log'
import { createNetwork } from '#cni/cni'
import type { NetworkService } from '#cni/network'
import { readExitFile } from '#shim/exit-file'
import type { Host } from '#shim/host'
import { createShims } from '#shim/shims'
import { createCheckpointSource } from './checkpoints/checkpoint-source.ts'
import { type CriuFinder, createCriuFinder } from './checkpoints/criu.ts'
import { createOperationsJournal, type OperationsJournal } from './checkpoints/operations-journal.ts'
import type { ContainerDeps } from './containers/container-deps.ts'
import { createExecs } from './containers/execs.ts'
import { observedShims } from './containers/observed-shims.ts'
import { createOciRuntimes } from './containers/oci-runtimes.ts'
import { createPodContainers } from './containers/pod-containers.ts'
import { deleteLeftContainer } from './containers/remove-container.ts'
import { createSupervisor } from './containers/supervisor.ts'
import { createUserNamespaces } from './containers/user-namespaces.ts'
import type { EngineConfig } from './engine-config.ts'
import { cgroupDirectories, cgroupsPathFor, makeCgroup } from './host/cgroup-paths.ts'
import type { CgroupLayout } from './host/cgroups.ts'
import type { HostFacts } from './host/host-facts.ts'
import { resolvConf } from './host/resolv-conf.ts'
import { createUserNamespaceProbe, type UserNamespaceProbe } from './host/user-namespace-probe.ts'
import { createImageStore } from './images/create-image-store.ts'
import type { ImageStore } from './images/image-store.ts'
import type { Container } from './model/container.ts'
import type { EngineObserver } from './model/observer.ts'
import type { Pod } from './model/pod.ts'
import { createCdiDevices } from './oci/cdi/cdi-devices.ts'
import { observedPrograms } from './oci/observed-programs.ts'
import { type BundleDeps, prepareBundle } from './oci/prepare-bundle.ts'
import { writeExecProcess } from './oci/process-spec.ts'
import { createRuntimeFinder } from './oci/runtime-features.ts'
import { selinuxLabels } from './oci/spec/selinux.ts'
import { plannedResources, updateBundle } from './oci/update-bundle.ts'
import type { Plugins } from './plugins/plugins.ts'
import { createNetworkJanitor } from './pods/network-janitor.ts'
import type { PauseCgroup, PodDeps } from './pods/pod-deps.ts'
import { freeSelinuxLevel } from './pods/selinux-level.ts'
import { forgetNetwork } from './pods/teardown-pod.ts'
import { decodeContainer, encodeContainer } from './state/container-record.ts'
import { createMakeOnce } from './state/make-once.ts'
import { createNames } from './state/names.ts'
import type { Paths } from './state/paths.ts'
import { decodePod, encodePod } from './state/pod-record.ts'
import { createRecordStore } from './state/record-store.ts'
import { createTable, type Table } from './state/table.ts'

export interface PartsInput {
  readonly config: EngineConfig
  readonly paths: Paths
  readonly host: Host
  readonly facts: HostFacts
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly plugins: Plugins
  readonly observer: EngineObserver
}

/** Everything the engine is made of, put together and not started. */
interface CheckpointParts {
  readonly criu: CriuFinder
  readonly journal: OperationsJournal
}

export interface EngineParts {
  readonly images: ImageStore
  readonly network: NetworkService
  readonly pods: PodDeps
  readonly containers: ContainerDeps
  readonly userNamespaceProbe: UserNamespaceProbe
  readonly checkpoints: CheckpointParts
}

export function createEngineParts(input: PartsInput): EngineParts {
  const network = createNetwork({
    confDir: input.config.cniConfDir,
    binDirs: input.config.cniBinDirs,
    cacheDir: input.paths.cniCache,
    pluginTimeoutMs: input.config.limits.cniPluginTimeoutMs,
    onPluginRan: run => {
      input.observer.pluginRan(run)
    },
    programs: input.host,
    clock: input.clock,
    log: input.log,
  })
  const images = createImageStore({
    rootDir: input.config.rootDir,
    unpackProgram: join(input.config.programsDir, 'lighter-unpack'),
    registries: input.config.registries,
    limits: input.config.limits,
    host: input.host,
    clock: input.clock,
    ids: input.ids,
    observer: input.observer,
    log: input.log,
  })
  const podTable = createPodTable(input)
  const checkpoints: CheckpointParts = {
    criu: createCriuFinder({
      programs: input.host,
      nameOrPath: input.config.criuPath,
      searchPath: searchPath(),
    }),
    journal: createOperationsJournal(input.paths.checkpoints, input.host),
  }
  const containers = createContainerParts(input, { images, pods: podTable, checkpoints })
  const { rootDir, stateDir } = input.config
  const userNamespaceProbe = createUserNamespaceProbe({ host: input.host, rootDir, stateDir })
  const pods = createPodParts(input, { podTable, network, containers, userNamespaceProbe })
  return { images, network, pods, containers, checkpoints, userNamespaceProbe }
}

function createPodTable({ paths, log }: PartsInput): Table<Pod> {
  const store = createRecordStore({
    directory: paths.podRecords,
    quarantineDirectory: paths.quarantine,
    durability: 'whole',
    encode: encodePod,
    decode: decodePod,
    log,
  })
  return createTable('pod sandbox', store)
}

function createContainerTable({ paths, log }: PartsInput): Table<Container> {
  const store = createRecordStore({
    directory: paths.containerRecords,
    quarantineDirectory: paths.quarantine,
    durability: 'whole',
    encode: encodeContainer,
    decode: decodeContainer,
    log,
  })
  return createTable('container', store)
}

function searchPath(): string {
  return process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}

interface BelowContainers {
  readonly images: ImageStore
  readonly pods: Table<Pod>
  readonly checkpoints: CheckpointParts
}

function createContainerParts(input: PartsInput, below: BelowContainers): ContainerDeps {
  const { images, pods } = below
  const { config, paths, host, facts, clock, ids, log } = input
  const table = createContainerTable(input)
  const programs = observedPrograms(host, input.observer)
  const finder = createRuntimeFinder({ programs, kernel: facts.kernel, searchPath: searchPath() })
  const runtimes = createOciRuntimes({
    config,
    finder,
    programs,
    cgroups: facts.cgroups,
    runtimeRoot: paths.runtimeRoot,
  })
  const bundleDeps: BundleDeps = {
    facts,
    host,
    handlerOptions: name => runtimes.options(name),
    cdiDevices: createCdiDevices(config.cdiSpecDirs),
    anonymousVolumesPath: id => join(images.rootfs.mountpoint, id, 'volumes'),
  }
  const programPath = join(config.programsDir, 'lighter-shim')
  const shims = observedShims(createShims({ host, programPath, log }), input.observer)
  const supervisor = createSupervisor({
    table,
    shims,
    readExitFile,
    paths,
    killLost: (ctx, container) => deleteLeftContainer({ runtimes, pods, host, shims, paths }, ctx, container),
    onEnded: (ctx, container) => input.plugins.containerStopped(ctx, container),
    now: () => clock.now(),
    log,
  })
  return {
    table,
    pods,
    names: createNames('container', id => table.get(id)?.phase ?? 'unknown'),
    locks: createKeyedLock(),
    makeOnce: createMakeOnce<ContainerId>({
      what: 'container',
      stageOf: id => table.get(id)?.stage ?? '',
    }),
    host,
    shims,
    supervisor,
    execs: createExecs({ writeProcess: writeExecProcess, shims, paths, ids }),
    images,
    bundles: {
      prepare: (ctx, bundle) => prepareBundle(ctx, bundleDeps, bundle),
      mountLabel: (container, pod) => selinuxLabels(container, pod, facts)?.mount,
      plannedResources: update => plannedResources(facts, update),
      updateResources: update => updateBundle(facts, update),
    },
    runtimes,
    plugins: input.plugins,
    checkpoints: createCheckpointSource({
      ...below.checkpoints,
      images,
      takesImages: config.restoresImages,
      host,
      ids,
      limits: config.limits,
      unpackProgram: join(config.programsDir, 'lighter-unpack'),
    }),
    paths,
    limits: config.limits,
    clock,
    ids,
    log,
  }
}

function createPodParts(
  input: PartsInput,
  parts: {
    readonly podTable: Table<Pod>
    readonly network: NetworkService
    readonly containers: ContainerDeps
    readonly userNamespaceProbe: UserNamespaceProbe
  },
): PodDeps {
  const { config, paths, host, facts, clock, ids, log } = input
  const { podTable: table, network, containers } = parts
  const handlers = new Set(['', ...config.runtimeHandlers.map(handler => handler.name)])
  const locks = createKeyedLock()
  return {
    table,
    names: createNames('pod sandbox', id => table.get(id)?.phase ?? 'unknown'),
    locks,
    makeOnce: createMakeOnce<PodId>({ what: 'pod sandbox', stageOf: id => table.get(id)?.stage ?? '' }),
    host,
    network,
    janitor: createNetworkJanitor({
      network,
      onReleased: (ctx, id) => forgetNetwork({ paths, host, table, locks }, ctx, parsePodId(id)),
      clock,
      log,
    }),
    paths,
    pauseProgram: join(config.programsDir, 'lighter-pause'),
    pauseCgroup: createPauseCgroup(facts.cgroups),
    resolvConf: pod => resolvConf(pod.config.dns),
    hasRuntimeHandler: name => handlers.has(name),
    userNamespaces: createUserNamespaces({
      runtimes: containers.runtimes,
      probe: parts.userNamespaceProbe,
    }),
    newSelinuxLevel: () => (facts.hasSelinux ? freeSelinuxLevel(table.all()) : undefined),
    requireRuntimeHandler: async (ctx, name) => {
      await containers.runtimes.find(ctx, name)
    },
    containers: createPodContainers(containers),
    plugins: input.plugins,
    clock,
    ids,
    log,
  }
}

function createPauseCgroup(layout: CgroupLayout): PauseCgroup {
  const pathOf = (pod: Pod): string => cgroupsPathFor(layout, pod.config.cgroupParent, pod.id)
  return {
    directories: pod => cgroupDirectories(layout, pathOf(pod)),
    make: pod => makeCgroup(layout, pathOf(pod)),
  }
}
