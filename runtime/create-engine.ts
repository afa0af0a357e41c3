import { join } from 'node:path'
import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Ids } from '#base/ids'
import type { Log } from '#base/log'
import { readExitFile } from '#shim/exit-file'
import { createHost } from '#shim/lighter-host'
import { checkpointOperations } from './checkpoints/checkpoint-operations.ts'
import { claimDirectories } from './claim.ts'
import { containerOperations } from './containers/container-operations.ts'
import type { Engine, EngineService } from './engine.ts'
import type { EngineConfig } from './engine-config.ts'
import { createEngineParts, type EngineParts } from './engine-parts.ts'
import { createJournal, type Journal } from './events/journal.ts'
import { gatherHostFacts, type HostFacts } from './host/host-facts.ts'
import type { EngineObserver } from './model/observer.ts'
import type { Owner } from './model/pod.ts'
import { nodeActivity } from './node/node-activity.ts'
import { nodeStatus } from './node/node-status.ts'
import { createStageTimes, type StageTimes } from './node/stage-times.ts'
import { loadApparmorProfile } from './oci/load-apparmor-profile.ts'
import { createPluginHost } from './plugin-host.ts'
import type { Plugins } from './plugins/plugins.ts'
import { podOperations } from './pods/pod-operations.ts'
import { recover } from './recovery/recover.ts'
import { sessionOperations } from './sessions/session-operations.ts'
import { createPaths } from './state/paths.ts'
import { statsOperations } from './stats/stats-operations.ts'
import { createTextFiles } from './stats/text-files.ts'

export interface EngineDeps {
  readonly config: EngineConfig
  readonly log: Log
  readonly clock: Clock
  readonly ids: Ids
  /** noPlugins, or what extends the runtime; the engine starts and stops it. */
  readonly plugins: Plugins
  readonly observer: EngineObserver
}

interface Running {
  readonly parts: EngineParts
  readonly facts: HostFacts
  readonly journal: Journal
  readonly stageTimes: StageTimes
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
      await host.start()
      await claimDirectories(host, config, paths)
    },
    async start(ctx) {
      const facts = await gatherHostFacts({ cgroupDriver: config.cgroupDriver })
      const { plugins, observer } = deps
      const parts = createEngineParts({ config, paths, host, facts, clock, ids, log, plugins, observer })
      const tables = { pods: parts.pods.table, containers: parts.containers.table }
      await loadApparmorProfile(ctx, { programs: host, facts })
      const stageTimes = createStageTimes({ ...tables, observer, nowMs: () => performance.now() })
      running = { parts, facts, journal: createJournal({ ...tables, clock, log }), stageTimes }
      await startParts(ctx, parts)
      await plugins.start(ctx, createPluginHost(parts, config.programsDir))
      isReady = true
    },
    async stop() {
      isReady = false
      await deps.plugins.stop()
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
    get sessions() {
      return engine().sessions
    },
    get events() {
      return engine().events
    },
    get checkpoints() {
      return engine().checkpoints
    },
  }
}

async function startParts(ctx: Ctx, parts: EngineParts): Promise<void> {
  const { images, network, pods, containers } = parts
  // First: nothing can be told of a container that an interrupted checkpoint left paused.
  await parts.checkpoints.journal.recover(ctx)
  // The probe also clears what it left when it was interrupted.
  await Promise.all([images.start(ctx), network.start(), parts.userNamespaceProbe.problem(ctx)])
  await recover(ctx, { pods, containers, readExitFile })
}

/** Containers go on without us. */
async function stopParts({ images, network, pods, containers }: EngineParts): Promise<void> {
  containers.supervisor.stop()
  await pods.janitor.stop()
  await Promise.all([images.stop(), network.stop()])
}

function createEngine(
  deps: EngineDeps,
  { parts, facts, journal, stageTimes }: Running,
  owner: Owner,
): Engine {
  const { images, network, pods, containers } = parts
  const ownPods = podOperations(pods, owner)
  const operations = containerOperations(containers, owner)
  return {
    pods: ownPods,
    containers: operations,
    images,
    stats: statsOperations({
      pods: ownPods,
      containers: operations,
      rootfs: images.rootfs,
      host: containers.host,
      paths: containers.paths,
      layout: facts.cgroups,
      files: createTextFiles(),
      clock: deps.clock,
    }),
    node: {
      ...nodeStatus({
        config: deps.config,
        runtimes: containers.runtimes,
        userNamespaces: pods.userNamespaces,
        network,
        cgroups: facts.cgroups,
      }),
      activity: () =>
        nodeActivity({
          pods: pods.table,
          containers: containers.table,
          retries: [pods.makeOnce.counts, containers.makeOnce.counts],
          journal,
          stageTimes,
          supervisor: containers.supervisor,
          janitor: pods.janitor,
        }),
    },
    sessions: sessionOperations({ containers, host: pods.host, ids: deps.ids }, owner),
    events: journal.as(owner),
    checkpoints: checkpointOperations({ pods, containers, ...parts.checkpoints }, owner),
  }
}
