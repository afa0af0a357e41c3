import type { EngineConfig, RuntimeHandlerConfig } from '#engine/engine-config'
import type { Config, HandlerConfig } from './defaults.ts'

/** The part of the configuration that is the engine's. `programsDir` is where the native programs were found. */
export function toEngineConfig(config: Config, programsDir: string): EngineConfig {
  return {
    rootDir: config.root,
    stateDir: config.state,
    programsDir,
    cniConfDir: config.cni.confDir,
    cniBinDirs: config.cni.binDirs,
    registries: config.registries,
    runtimeHandlers: Object.entries(config.runtimes.handlers).map(([name, handler]) =>
      toHandler(name, handler),
    ),
    defaultRuntimeHandler: config.runtimes.default,
    cdiSpecDirs: config.cdi.specDirs,
    criuPath: config.checkpoint.criuPath,
    restoresImages: config.checkpoint.restoreImages,
    cgroupDriver: config.cgroupDriver,
    limits: config.limits,
  }
}

function toHandler(name: string, handler: HandlerConfig): RuntimeHandlerConfig {
  return {
    name,
    path: handler.path,
    isPrivilegedWithoutHostDevices: handler.privilegedWithoutHostDevices,
    allowedAnnotations: handler.allowedAnnotations,
    hooksDir: handler.hooksDir,
    hasDevicesOfUser: handler.deviceOwnershipFromSecurityContext,
  }
}

/** Path of the socket that `listen` names. */
export function socketPathOf(config: Config): string {
  return config.listen.slice('unix://'.length)
}
