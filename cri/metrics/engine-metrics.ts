import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { EngineObserver } from '#engine/model/observer'
import { createBoundedLabel } from './bounded-label.ts'
import { durationBuckets } from './buckets.ts'

/** Plugins that conf lists name, and stages: more are called "other". */
const maxLabelValues = { plugin: 32, stage: 32 } as const

/** Layers may take long. */
const pullBuckets: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800]

/** What the engine does: network plugins, OCI runtimes, pulls, ends of containers, stages. */
export function createEngineMetrics(registry: Registry): EngineObserver {
  return {
    ...networkMetrics(registry),
    ...runtimeMetrics(registry),
    ...pullMetrics(registry),
    ...stageMetrics(registry),
  }
}

function networkMetrics(registry: Registry): Pick<EngineObserver, 'pluginRan'> {
  const labelNames = ['plugin', 'command'] as const
  const durations = new Histogram({
    name: 'lighter_cni_plugin_duration_seconds',
    help: 'Time that one run of a CNI plugin took.',
    labelNames,
    buckets: [...durationBuckets],
    registers: [registry],
  })
  const errors = new Counter({
    name: 'lighter_cni_plugin_errors_total',
    help: 'Runs of a CNI plugin that failed.',
    labelNames,
    registers: [registry],
  })
  const bounded = createBoundedLabel(maxLabelValues.plugin)
  return {
    pluginRan({ plugin, command, ms, failure }) {
      const labels = { plugin: bounded(plugin), command }
      durations.observe(labels, ms / 1000)
      errors.inc(labels, failure === undefined ? 0 : 1)
    },
  }
}

function runtimeMetrics(registry: Registry): Pick<EngineObserver, 'runtimeRan' | 'containerExited'> {
  const durations = new Histogram({
    name: 'lighter_oci_runtime_operation_duration_seconds',
    help: 'Time that one operation of an OCI runtime took: run from the start of the shim to the running container, exec to the running process.',
    labelNames: ['operation'],
    buckets: [...durationBuckets],
    registers: [registry],
  })
  const errors = new Counter({
    name: 'lighter_oci_runtime_operation_errors_total',
    help: 'Operations of an OCI runtime that failed.',
    labelNames: ['operation'],
    registers: [registry],
  })
  const exits = new Counter({
    name: 'lighter_container_exits_total',
    help: 'Containers that ended, by reason: Completed, Error, OOMKilled, StartError, Unknown.',
    labelNames: ['reason'],
    registers: [registry],
  })
  return {
    runtimeRan({ operation, ms, failure }) {
      durations.observe({ operation }, ms / 1000)
      errors.inc({ operation }, failure === undefined ? 0 : 1)
    },
    containerExited(reason) {
      exits.inc({ reason })
    },
  }
}

type PullObserver = Pick<EngineObserver, 'pullBegan' | 'pullEnded' | 'layerDownloaded'>

function pullMetrics(registry: Registry): PullObserver {
  const registers = [registry]
  const inProgress = new Gauge({
    name: 'lighter_image_pulls_in_progress',
    help: 'Pulls under way; callers who share one are one.',
    registers,
  })
  const durations = new Histogram({
    name: 'lighter_image_pull_duration_seconds',
    help: 'Time that one pull took, failed ones included.',
    buckets: [...pullBuckets],
    registers,
  })
  const failures = new Counter({
    name: 'lighter_image_pull_failures_total',
    help: 'Pulls that failed, by kind of error: not-found, unauthenticated, registry-unavailable, cancelled and so on.',
    labelNames: ['reason'],
    registers,
  })
  const downloaded = new Counter({
    name: 'lighter_image_layer_downloaded_bytes_total',
    help: 'Compressed bytes of the layers that came whole from registries.',
    registers,
  })
  return {
    pullBegan() {
      inProgress.inc()
    },
    pullEnded({ ms, failure }) {
      inProgress.dec()
      durations.observe(ms / 1000)
      if (failure !== undefined) failures.inc({ reason: failure })
    },
    layerDownloaded(bytes) {
      downloaded.inc(bytes)
    },
  }
}

function stageMetrics(registry: Registry): Pick<EngineObserver, 'stageLeft'> {
  const durations = new Histogram({
    name: 'lighter_stage_duration_seconds',
    help: 'Time that pods and containers were in a stage of their making or removal, until they went on.',
    labelNames: ['object', 'stage'],
    buckets: [...durationBuckets],
    registers: [registry],
  })
  const bounded = createBoundedLabel(maxLabelValues.stage)
  return {
    stageLeft({ object, stage, ms }) {
      durations.observe({ object, stage: bounded(stage) }, ms / 1000)
    },
  }
}
