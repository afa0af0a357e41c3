import type { EngineConfig } from '#engine/engine-config'
import type { Config } from './defaults.ts'

/** The part of the configuration that is the engine's. `programsDir` is where the native programs were found. */
export function toEngineConfig(config: Config, programsDir: string): EngineConfig {
  return {
    rootDir: config.root,
    stateDir: config.state,
    programsDir,
    cniConfDir: config.cni.confDir,
    cniBinDirs: config.cni.binDirs,
    registries: config.registries,
    runtimeHandlers: Object.entries(config.runtimes.handlers).map(([name, { path }]) => ({ name, path })),
    defaultRuntimeHandler: config.runtimes.default,
    cgroupDriver: config.cgroupDriver,
    limits: config.limits,
  }
}

/** Path of the socket that `listen` names. */
export function socketPathOf(config: Config): string {
  return config.listen.slice('unix://'.length)
}
