import type { Ctx } from '#base/context'
import { withContext } from '#base/errors'
import { settleAll } from '#base/settle'
import type { Host } from '#shim/host'
import type { ContainerMount } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { isPrepared, mountName, mountOptions, preparedVolumePath } from './spec/volumes.ts'

export interface VolumesInput {
  readonly mounts: readonly ContainerMount[]
  readonly pod: Pod
  /** Existing directory. */
  readonly volumesPath: string
  /** What host paths resolved to. */
  readonly sources: ReadonlyMap<string, string>
}

/**
 * Mounts the volumes that the OCI runtime gets as they are (spec/volumes.ts), but for images. The caller unmounts what is
 * in volumesPath, also after a failure. Errors: `failed-precondition` if a file system cannot map ids.
 */
export async function prepareVolumes(
  ctx: Ctx,
  host: Pick<Host, 'bind'>,
  { mounts, pod, volumesPath, sources }: VolumesInput,
): Promise<void> {
  const binds = mounts.map(async (mount, index) => {
    if (mount.image !== '' || !isPrepared(mount, pod)) return
    try {
      await host.bind(ctx, {
        source: sources.get(mount.hostPath) ?? mount.hostPath,
        target: preparedVolumePath(volumesPath, index),
        isRecursive: true,
        attributes: [...(mount.isReadOnly ? (['ro'] as const) : []), ...mountOptions(mount)],
        hasAttributesBelow: mount.isRecursiveReadOnly,
        isSlave: mount.propagation === 'host-to-container',
        idMappings: { uids: mount.uidMappings, gids: mount.gidMappings },
      })
    } catch (err) {
      throw withContext(mountName(mount), err)
    }
  })
  await settleAll(binds)
}
