import { Counter, Gauge, type Registry } from 'prom-client'
import type { Engine, EngineService, NodeActivity } from '#engine/engine'

/** Where the figures come from that are looked up when somebody asks for them. */
export interface NodeSources {
  readonly engine: Pick<EngineService, 'isReady'>
  readonly view: Pick<Engine, 'node' | 'images'>
  /** Sessions of exec, attach and port-forward that are open. */
  readonly sessions: () => number
}

/** State of the node. Answers what reads it into the registry; memory only, nothing is waited for. */
export function createNodeMetrics(registry: Registry): (sources: NodeSources) => void {
  const ready = gauge(registry, 'lighter_ready', '1 when the daemon serves, 0 while it recovers.')
  const sessions = gauge(
    registry,
    'lighter_streaming_sessions',
    'Connections of exec, attach and port-forward that are open.',
  )
  const setActivity = activityMetrics(registry)
  const setStages = objectStageMetrics(registry)
  const images = gauge(registry, 'lighter_images', 'Images in the store.')
  const bytes = gauge(
    registry,
    'lighter_image_store_bytes',
    'Bytes that images and their layers take on disk.',
  )
  return ({ engine, view, sessions: open }) => {
    const isReady = engine.isReady()
    ready.set(isReady ? 1 : 0)
    sessions.set(open())
    if (!isReady) return
    const activity = view.node.activity()
    setActivity(activity)
    setStages(activity.stages)
    images.set(view.images.list().length)
    bytes.set(view.images.usage().usedBytes)
  }
}

function gauge(registry: Registry, name: string, help: string): Gauge {
  return new Gauge({ name, help, registers: [registry] })
}

function activityMetrics(registry: Registry): (activity: NodeActivity) => void {
  const labelNames = ['state'] as const
  const registers = [registry]
  const pods = new Gauge({ name: 'lighter_pods', help: 'Pod sandboxes, by state.', labelNames, registers })
  const containers = new Gauge({
    name: 'lighter_containers',
    help: 'Containers, by state.',
    labelNames,
    registers,
  })
  const shims = gauge(registry, 'lighter_shims', 'Shims that are alive and watched.')
  const networks = gauge(
    registry,
    'lighter_network_releases_pending',
    'Pods whose network could not be released and is tried again.',
  )
  const setJoined = total(
    registry,
    'lighter_retries_joined_total',
    'Retried calls that joined the first one.',
  )
  const setAdopted = total(
    registry,
    'lighter_retries_adopted_total',
    'Retried calls that got what the first one had made for nobody.',
  )
  const setDropped = total(
    registry,
    'lighter_events_dropped_total',
    'Container events that readers lost because they were too slow.',
  )
  return activity => {
    for (const [state, count] of Object.entries(activity.pods)) pods.set({ state }, count)
    for (const [state, count] of Object.entries(activity.containers)) containers.set({ state }, count)
    shims.set(activity.shims)
    networks.set(activity.networksToRelease)
    setJoined(activity.retriesJoined)
    setAdopted(activity.retriesAdopted)
    setDropped(activity.eventsDropped)
  }
}

/** A counter that is kept elsewhere. */
function total(registry: Registry, name: string, help: string): (count: number) => void {
  const counter = new Counter({ name, help, registers: [registry] })
  return count => {
    counter.reset()
    counter.inc(count)
  }
}

function objectStageMetrics(registry: Registry): (stages: NodeActivity['stages']) => void {
  const labelNames = ['object', 'stage'] as const
  const registers = [registry]
  const counts = new Gauge({
    name: 'lighter_objects_in_stage',
    help: 'Pods and containers that something is done to, or whose undo failed, by stage.',
    labelNames,
    registers,
  })
  const oldest = new Gauge({
    name: 'lighter_stage_oldest_seconds',
    help: 'How long the one that is longest in a stage has been in it.',
    labelNames,
    registers,
  })
  return stages => {
    counts.reset()
    oldest.reset()
    for (const { labels, count, ageMs } of byStage(stages)) {
      counts.set(labels, count)
      oldest.set(labels, ageMs / 1000)
    }
  }
}

interface StageSummary {
  readonly labels: { readonly object: string; readonly stage: string }
  readonly count: number
  readonly ageMs: number
}

function byStage(stages: NodeActivity['stages']): Iterable<StageSummary> {
  const summaries = new Map<string, StageSummary>()
  for (const { object, stage, ageMs } of stages) {
    const key = `${object} ${stage}`
    const before = summaries.get(key)
    summaries.set(key, {
      labels: { object, stage },
      count: (before?.count ?? 0) + 1,
      ageMs: Math.max(before?.ageMs ?? 0, ageMs),
    })
  }
  return summaries.values()
}
