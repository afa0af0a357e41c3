import type { Log } from '#base/log'
import type { EngineService } from '#engine/engine'
import { type Config } from './config/defaults.ts'
import { socketPathOf } from './config/engine-config.ts'
import { defaultServerLimits, type RunningServer, serve } from './grpc/server.ts'
import { createImageService } from './image-service/index.ts'
import { createRuntimeService } from './runtime-service/index.ts'
import { version } from './version.ts'

export interface CriDoorInput {
  readonly engine: EngineService
  readonly config: Config
  readonly log: Log
}

/** Serves the CRI on the configured socket; answers UNAVAILABLE until the engine is ready. The caller stops it. */
export function openCriDoor({ engine, config, log }: CriDoorInput): Promise<RunningServer> {
  const gate = { log, isReady: () => engine.isReady() }
  const deps = {
    engine: engine.as('k8s.io'),
    version,
    config: { ...config, rootDir: config.root, stateDir: config.state },
  }
  return serve({
    socketPath: socketPathOf(config),
    services: [createRuntimeService(gate, deps), createImageService(gate, deps)],
    limits: defaultServerLimits,
  })
}
