import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { removePath, writeFileAtomic } from '#base/files'
import type { EngineService } from '#engine/engine'
import type { Config } from './config/defaults.ts'
import { type CriDoor, openCriDoor } from './cri-door.ts'
import type { Metrics } from './metrics/metrics.ts'
import { version } from './version.ts'

export interface Daemon {
  /** Takes no new calls, lets the running ones end, leaves containers running. */
  stop(): Promise<void>
}

export interface DaemonParts {
  readonly config: Config
  readonly engine: EngineService
  /** undefined: nobody counts. */
  readonly metrics?: Metrics | undefined
}

/** The life of a daemon around an engine: door, engine, pid file; backwards when it stops. */
export async function runDaemon(ctx: Ctx, { config, engine, metrics }: DaemonParts): Promise<Daemon> {
  const { log } = ctx
  const pidFile = join(config.state, 'lighterd.pid')
  let door: CriDoor | undefined
  let page: { stop(): Promise<void> } | undefined
  async function stop(): Promise<void> {
    await door?.stop()
    await page?.stop()
    await engine.stop()
  }
  try {
    await engine.claim()
    // The door opens before the recovery: clients that come early hear "starting" instead of nothing.
    door = await openCriDoor({ engine, config, log, observer: metrics?.rpcs })
    page = await metrics?.serve({ engine, view: engine.as('k8s.io'), sessions: () => door?.sessions ?? 0 })
    await engine.start(ctx)
    await writeFileAtomic(pidFile, `${process.pid}\n`, { mode: 0o644, durability: 'process death' })
  } catch (err) {
    await stop()
    throw err
  }
  log.info({ version, listen: config.listen, pid: process.pid }, 'lighterd ready')
  return {
    async stop() {
      log.info({}, 'lighterd stopping')
      await removePath(pidFile)
      await stop()
    },
  }
}
