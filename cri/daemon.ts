import { createClock } from '#base/clock'
import type { Ctx } from '#base/context'
import { createIds } from '#base/ids'
import { createEngineService } from '#engine/create-engine'
import { silentObserver } from '#engine/model/observer'
import { noPlugins } from '#engine/plugins/no-plugins'
import type { Plugins } from '#engine/plugins/plugins'
import type { Config } from './config/defaults.ts'
import { toEngineConfig } from './config/engine-config.ts'
import type { Metrics } from './metrics/metrics.ts'
import { type Daemon, runDaemon } from './run-daemon.ts'
import { version } from './version.ts'

export interface DaemonInput {
  readonly config: Config
  /** Where lighter-host and the others were found. */
  readonly programsDir: string
}

/** Makes everything, in start order. Returns when lighterd is ready; on error nothing is left open. */
export async function startDaemon(ctx: Ctx, { config, programsDir }: DaemonInput): Promise<Daemon> {
  const metrics = await loadMetrics(ctx, config)
  const engine = createEngineService({
    config: toEngineConfig(config, programsDir),
    log: ctx.log,
    clock: createClock(),
    ids: createIds(),
    plugins: await createPlugins(ctx, config),
    observer: metrics?.engine ?? silentObserver,
  })
  return runDaemon(ctx, { config, engine, metrics })
}

async function loadMetrics({ log }: Ctx, config: Config): Promise<Metrics | undefined> {
  if (!config.metrics.enabled) return undefined
  const { createMetrics } = await import('./metrics/create-metrics.ts')
  return createMetrics({ config: config.metrics, version, log: log.child({ door: 'metrics' }) })
}

/** What is not switched on is not even loaded. */
async function createPlugins({ log }: Ctx, config: Config): Promise<Plugins> {
  if (!config.nri.enabled) return noPlugins
  const { createNri } = await import('#nri/create-nri')
  return createNri({ config: config.nri, stateDir: config.state, version, log: log.child({ part: 'nri' }) })
}
