import type { Container } from '#engine/model/container'
import type { Image } from '#engine/model/image'
import type { Pod } from '#engine/model/pod'

/** Verbose answers hold JSON texts under keys; crictl shows what is under `info`, critest reads some of it. */
export type VerboseInfo = Readonly<Record<string, string>>

export function podInfo(pod: Pod): VerboseInfo {
  return {
    info: json({
      pid: pod.pausePid ?? 0,
      phase: pod.phase,
      stage: pod.stage,
      runtimeHandler: pod.runtimeHandler,
      isNetworkAttached: pod.isNetworkAttached,
      config: pod.config,
    }),
  }
}

export function containerInfo(container: Container): VerboseInfo {
  return {
    info: json({
      sandboxID: container.podId,
      pid: container.pid ?? 0,
      phase: container.phase,
      stage: container.stage,
      cgroupsPath: container.cgroupsPath,
      config: container.config,
    }),
  }
}

/** The image's own configuration under the names that the OCI image specification gives it. */
export function imageInfo(image: Image): VerboseInfo {
  const { config } = image
  return {
    info: json({
      manifestDigest: image.manifestDigest,
      chainID: image.chainIds.at(-1) ?? '',
      imageSpec: {
        created: config.created,
        architecture: config.architecture,
        os: config.os,
        config: {
          User: config.user,
          Env: config.env,
          Entrypoint: config.entrypoint,
          Cmd: config.cmd,
          WorkingDir: config.workingDir,
          StopSignal: config.stopSignal,
          Volumes: Object.fromEntries(config.volumes.map(path => [path, {}])),
          Labels: config.labels,
        },
      },
    }),
  }
}

/** BigInts do not occur in configurations; times go out in the answers proper. */
export function json(value: unknown): string {
  return JSON.stringify(value)
}
