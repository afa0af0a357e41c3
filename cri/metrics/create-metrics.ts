import { Gauge, Registry } from 'prom-client'
import type { Log } from '#base/log'
import type { MetricsConfig } from '../config/defaults.ts'
import { createEngineMetrics } from './engine-metrics.ts'
import type { Metrics } from './metrics.ts'
import { createNodeMetrics } from './node-metrics.ts'
import { createProcessMetrics } from './process-metrics.ts'
import { createRpcMetrics } from './rpc-metrics.ts'
import { servePage } from './serve-page.ts'

export interface MetricsInput {
  readonly config: MetricsConfig
  readonly version: string
  readonly log: Log
}

/** Metrics for Prometheus; METRICS.md lists them. Loaded only when they are switched on. */
export function createMetrics({ config, version, log }: MetricsInput): Metrics {
  const registry = new Registry()
  const build = new Gauge({
    name: 'lighter_build_info',
    help: 'Always 1; the version of the daemon is the label.',
    labelNames: ['version'],
    registers: [registry],
  })
  build.set({ version }, 1)
  const rpcs = createRpcMetrics(registry)
  const engine = createEngineMetrics(registry)
  const collectNode = createNodeMetrics(registry)
  return {
    rpcs,
    engine,
    async serve(sources) {
      const own = createProcessMetrics(registry)
      try {
        const page = await servePage({
          ...config,
          contentType: registry.contentType,
          log,
          async render() {
            collectNode(sources)
            await own.collect()
            return registry.metrics()
          },
        })
        log.info({ url: page.url }, 'metrics served')
        return {
          async stop() {
            own.stop()
            await page.stop()
          },
        }
      } catch (err) {
        own.stop()
        throw err
      }
    },
  }
}
