import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { ContainerId } from '#base/ids'
import type { Host } from '#shim/host'
import type { HostFacts } from '../host/host-facts.ts'
import type { ContainerConfig, ContainerUser } from '../model/container.ts'
import type { ImageConfig } from '../model/image.ts'
import type { Pod } from '../model/pod.ts'

export interface BundleDeps {
  readonly facts: HostFacts
  readonly host: Pick<Host, 'readInRoot'>
}

/** Files and namespace pins of the pod that a container is made in; all absolute. */
export interface PodPaths {
  /** Namespace pins; unused where the pod has the host's namespace. */
  readonly network: string
  readonly ipc: string
  readonly uts: string
  readonly pid: string
  /** The pod's /dev/shm; unused with the host's IPC namespace. */
  readonly shm: string
  readonly hosts: string
  readonly hostname: string
  readonly resolvConf: string
}

export interface BundleInput {
  readonly id: ContainerId
  readonly config: ContainerConfig
  readonly pod: Pod
  readonly podPaths: PodPaths
  /** Name that processes in the pod see (UTS), for $HOSTNAME. */
  readonly hostname: string
  readonly image: ImageConfig
  /** For the annotation io.kubernetes.cri.image-name. */
  readonly imageName: string
  /** Existing directory; config.json is written into it. */
  readonly bundlePath: string
  /** Mounted root file system of the container. */
  readonly rootfsPath: string
  /** Needed when config.security.namespaces.pid is `target`: pid of the target container's init. */
  readonly targetPid: number | undefined
  /** What the OCI runtime can do (runtime-features.ts). */
  readonly hasRecursiveReadOnlyMounts: boolean
}

export interface PreparedBundle {
  readonly user: ContainerUser
  /** Such as SIGTERM. */
  readonly stopSignal: string
  /** OCI linux.cgroupsPath. */
  readonly cgroupsPath: string
  /** For lighter-shim --oom-file; undefined if there is no memory controller. */
  readonly oomPath: string | undefined
}

/**
 * Does all I/O that a container's bundle needs and writes its config.json. Makes missing host paths of mounts;
 * these stay also when it fails, as volumes may be shared. Errors: `invalid-argument` and `unimplemented` name
 * the field of the container config, `failed-precondition` what the host lacks.
 */
export async function prepareBundle(
  ctx: Ctx,
  deps: BundleDeps,
  input: BundleInput,
): Promise<PreparedBundle> {
  throw new RuntimeError('unimplemented', `bundle of container ${input.id}`)
}
