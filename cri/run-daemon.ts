import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { removePath, writeFileAtomic } from '#base/files'
import type { EngineService } from '#engine/engine'
import type { Config } from './config/defaults.ts'
import { openCriDoor } from './cri-door.ts'
import { version } from './version.ts'

export interface Daemon {
  /** Takes no new calls, lets the running ones end, leaves containers running. */
  stop(): Promise<void>
}

/** The life of a daemon around an engine: door, engine, pid file; backwards when it stops. */
export async function runDaemon(
  ctx: Ctx,
  { config, engine }: { readonly config: Config; readonly engine: EngineService },
): Promise<Daemon> {
  const { log } = ctx
  const pidFile = join(config.state, 'lighterd.pid')
  await engine.claim()
  // The door opens before the recovery: clients that come early hear "starting" instead of nothing.
  const door = await openCriDoor({ engine, config, log })
  try {
    await engine.start(ctx)
    await writeFileAtomic(pidFile, `${process.pid}\n`, { mode: 0o644, isDurable: false })
  } catch (err) {
    await door.stop()
    await engine.stop()
    throw err
  }
  log.info({ version, listen: config.listen, pid: process.pid }, 'lighterd ready')
  return {
    async stop() {
      log.info({}, 'lighterd stopping')
      await door.stop()
      await engine.stop()
      await removePath(pidFile)
    },
  }
}
