import { join } from 'node:path'
import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import { makeDirectory } from '#base/files'
import type { Ids } from '#base/ids'
import type { Log } from '#base/log'
import { readExitFile } from '#shim/exit-file'
import type { Host } from '#shim/host'
import { createHost } from '#shim/lighter-host'
import { containerOperations } from './containers/container-operations.ts'
import type { Engine, EngineService } from './engine.ts'
import type { EngineConfig } from './engine-config.ts'
import { createEngineParts, type EngineParts } from './engine-parts.ts'
import { gatherHostFacts, type HostFacts } from './host/host-facts.ts'
import type { Owner } from './model/pod.ts'
import { nodeOperations } from './node/node-status.ts'
import { podOperations } from './pods/pod-operations.ts'
import { recover } from './recovery/recover.ts'
import { createPaths, type Paths } from './state/paths.ts'
import { createContainerStats } from './stats/container-stats.ts'

export interface EngineDeps {
  readonly config: EngineConfig
  readonly log: Log
  readonly clock: Clock
  readonly ids: Ids
}

/** A daemon that was just killed may need this long to let go of its locks. */
const lockWaitMs = 5_000

interface Running {
  readonly parts: EngineParts
  readonly facts: HostFacts
}

/** The engine as a service: start() makes the records, the kernel and the shims agree before anything is served. */
export function createEngineService(deps: EngineDeps): EngineService {
  const { config, log, clock, ids } = deps
  const paths = createPaths(config)
  const host = createHost({ programPath: join(config.programsDir, 'lighter-host'), log })
  const engines = new Map<Owner, Engine>()
  let running: Running | undefined
  let isReady = false

  function engineOf(owner: Owner): Engine {
    if (!running) throw new RuntimeError('unavailable', 'lighterd is starting')
    const engine = engines.get(owner) ?? createEngine(deps, running, owner)
    engines.set(owner, engine)
    return engine
  }

  return {
    async claim() {
      await makeDirectories(config, paths)
      await host.start()
      await takeLocks(host, config, paths)
    },
    async start(ctx) {
      const facts = await gatherHostFacts({ cgroupDriver: config.cgroupDriver })
      const parts = createEngineParts({ config, paths, host, facts, clock, ids, log })
      running = { parts, facts }
      await startParts(ctx, parts)
      isReady = true
    },
    async stop() {
      isReady = false
      if (running) await stopParts(running.parts)
      await host.stop()
    },
    isReady: () => isReady,
    as: owner => lazyEngine(() => engineOf(owner)),
  }
}

/** A door takes its engine before the engine is put together, and uses it only after. */
function lazyEngine(engine: () => Engine): Engine {
  return {
    get pods() {
      return engine().pods
    },
    get containers() {
      return engine().containers
    },
    get images() {
      return engine().images
    },
    get stats() {
      return engine().stats
    },
    get node() {
      return engine().node
    },
  }
}

async function makeDirectories(config: EngineConfig, paths: Paths): Promise<void> {
  await makeDirectory(config.rootDir, 0o711)
  await makeDirectory(config.stateDir, 0o711)
  for (const path of [paths.pods, paths.containers, paths.sockets, paths.runtimeRoot]) {
    await makeDirectory(path, 0o711)
  }
}

async function takeLocks(host: Host, config: EngineConfig, paths: Paths): Promise<void> {
  try {
    await host.lock(paths.rootLock, lockWaitMs)
    await host.lock(paths.stateLock, lockWaitMs)
  } catch (err) {
    if (!isKind(err, 'failed-precondition')) throw err
    throw new RuntimeError(
      'failed-precondition',
      `another lighterd uses ${config.rootDir} or ${config.stateDir}: give this one its own --root and --state`,
      { cause: err },
    )
  }
}

async function startParts(ctx: Ctx, { images, network, pods, containers }: EngineParts): Promise<void> {
  await Promise.all([images.start(ctx), network.start()])
  await recover(ctx, { pods, containers, readExitFile })
}

/** Containers go on without us. */
async function stopParts({ images, network, pods, containers }: EngineParts): Promise<void> {
  containers.supervisor.stop()
  await pods.janitor.stop()
  await Promise.all([images.stop(), network.stop()])
}

function createEngine(deps: EngineDeps, { parts, facts }: Running, owner: Owner): Engine {
  const { images, network, pods, containers } = parts
  const operations = containerOperations(containers, owner)
  return {
    pods: podOperations(pods, owner),
    containers: operations,
    images,
    stats: createContainerStats({
      containers: operations,
      rootfs: images.rootfs,
      cgroups: facts.cgroups,
      clock: deps.clock,
    }),
    node: nodeOperations({
      config: deps.config,
      runtimes: containers.runtimes,
      network,
      cgroups: facts.cgroups,
    }),
  }
}
