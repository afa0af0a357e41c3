import type { Log } from '#base/log'
import { settleAll } from '#base/settle'
import type { EngineService } from '#engine/engine'
import { type Config } from './config/defaults.ts'
import { socketPathOf } from './config/engine-config.ts'
import type { RpcObserver } from './grpc/handler.ts'
import { defaultServerLimits, type RunningServer, serve } from './grpc/server.ts'
import { createImageService } from './image-service/index.ts'
import { createRuntimeService } from './runtime-service/index.ts'
import { openStreamingServer } from './streaming/server.ts'
import { version } from './version.ts'

export interface CriDoorInput {
  readonly engine: EngineService
  readonly config: Config
  readonly log: Log
  readonly observer?: RpcObserver | undefined
}

export interface CriDoor extends RunningServer {
  /** Open sessions of exec, attach and port-forward. */
  readonly sessions: number
}

/** Serves the CRI on the configured socket, and the streams that it gives URLs for; answers UNAVAILABLE until the engine is ready. The caller stops it. */
export async function openCriDoor({ engine, config, log, observer }: CriDoorInput): Promise<CriDoor> {
  const gate = { log, isReady: () => engine.isReady(), observer }
  const view = engine.as('k8s.io')
  const streaming = await openStreamingServer({
    config: config.streaming,
    sessions: () => view.sessions,
    log: log.child({ door: 'streaming' }),
  })
  const deps = {
    engine: view,
    streaming,
    version,
    config: { ...config, rootDir: config.root, stateDir: config.state },
  }
  try {
    const server = await serve({
      socketPath: socketPathOf(config),
      services: [createRuntimeService(gate, deps), createImageService(gate, deps)],
      limits: defaultServerLimits,
    })
    return {
      get sessions() {
        return streaming.sessions
      },
      async stop() {
        await settleAll([server.stop(), streaming.stop()])
      },
    }
  } catch (err) {
    await streaming.stop()
    throw err
  }
}
