import { chown, mkdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Ctx } from '#base/context'
import { fileError } from '#base/files'
import type { Host } from '#shim/host'
import { hostOwner, userMappings } from '../host/id-mappings.ts'
import type { ImageConfig } from '../model/image.ts'
import type { Pod } from '../model/pod.ts'
import type { MountSpec } from './spec/types.ts'

interface VolumesInput {
  readonly image: Pick<ImageConfig, 'volumes'>
  readonly pod: Pick<Pod, 'config'>
  readonly rootfsPath: string
  /** Where the volumes are made, one directory each; it goes when the container does. */
  readonly directory: string
  /** What the container has without them; a mount in the place of a volume replaces it. */
  readonly mounts: readonly MountSpec[]
}

/**
 * The volumes that the image declares (OCI image config, Volumes), with what the image has in their places: they are
 * outside of the writable layer, and end with the container. The caller removes the directory, also after a failure.
 */
export async function makeAnonymousVolumes(
  ctx: Ctx,
  host: Pick<Host, 'copyFromRoot'>,
  input: VolumesInput,
): Promise<readonly MountSpec[]> {
  const taken = new Set(input.mounts.map(({ destination }) => destination))
  const destinations = [
    ...new Set(input.image.volumes.map(path => posix.join('/', path).replace(/(.)\/$/, '$1'))),
  ]
  const wanted = destinations.filter(path => path !== '/' && !path.includes('\0') && !taken.has(path))
  const volumes: MountSpec[] = []
  for (const [index, destination] of wanted.entries()) {
    const source = join(input.directory, String(index))
    await makeVolume(source, input.pod)
    await host.copyFromRoot(ctx, { root: input.rootfsPath, source: destination, target: source })
    volumes.push({ destination, type: 'bind', source, options: ['rbind', 'rprivate', 'rw'] })
  }
  return volumes
}

/** It belongs to the container's root, until the copy of a directory of the image says otherwise. */
async function makeVolume(path: string, pod: Pick<Pod, 'config'>): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 })
    const mappings = userMappings(pod.config.namespaces)
    if (!mappings) return
    const { uid, gid } = hostOwner(mappings)
    await chown(path, uid, gid)
  } catch (err) {
    throw fileError(`cannot make volume ${path}`, err)
  }
}
