import { RuntimeError } from '#base/errors'
import type { CgroupLayout } from '../../host/cgroups.ts'
import { sameMappings, userMappings } from '../../host/id-mappings.ts'
import type { ContainerConfig } from '../../model/container.ts'
import type { IdMapping, NamespaceMode, NamespaceOptions } from '../../model/linux.ts'
import type { Pod } from '../../model/pod.ts'
import type { SpecInput } from './spec-input.ts'
import type { IdMappingSpec, LinuxSpec, NamespaceSpec } from './types.ts'

interface NamespaceInput {
  readonly config: ContainerConfig
  readonly pod: Pod
  readonly podPaths: SpecInput['podPaths']
  readonly targetPid: number | undefined
  readonly cgroups: CgroupLayout
}

/**
 * The namespaces of a container: user, network, IPC and UTS are the pod's. `pod` means what the pod has (shared, the
 * host's, or one per container); the host's is refused unless the pod has it too.
 */
export function containerNamespaces(input: NamespaceInput): readonly NamespaceSpec[] {
  const wanted = input.config.security.namespaces
  const ofPod = input.pod.config.namespaces
  for (const kind of ['network', 'ipc', 'pid'] as const) refuseHostOnly(kind, wanted[kind], ofPod[kind])

  refuseOtherUser(wanted, ofPod)

  const namespaces: NamespaceSpec[] = [{ type: 'mount' }]
  if (userMappings(ofPod)) namespaces.push({ type: 'user', path: input.podPaths.user })
  if (ofPod.network !== 'node') {
    namespaces.push({ type: 'network', path: input.podPaths.network })
    namespaces.push({ type: 'uts', path: input.podPaths.uts })
  }
  if (ofPod.ipc !== 'node') namespaces.push({ type: 'ipc', path: input.podPaths.ipc })
  const pid = pidNamespace(input)
  if (pid) namespaces.push(pid)
  // With a cgroup namespace on v1 the runtime mounts paths that tools inside do not expect; on v2 it is the rule.
  if (input.cgroups.version === 2 && !input.config.security.isPrivileged) namespaces.push({ type: 'cgroup' })
  return namespaces
}

function refuseHostOnly(kind: string, wanted: NamespaceMode, ofPod: NamespaceMode): void {
  if (wanted === 'node' && ofPod !== 'node') {
    throw new RuntimeError(
      'invalid-argument',
      `namespace_options.${kind}: the container asks for the host's namespace, its pod sandbox has an own one`,
    )
  }
}

/** The mappings of the pod's user namespace, of which the OCI runtime does not ask the kernel. */
export function idMappings(pod: Pod): Pick<LinuxSpec, 'uidMappings' | 'gidMappings'> {
  const mappings = userMappings(pod.config.namespaces)
  if (!mappings) return {}
  const spec = ({ containerId, hostId, length }: IdMapping): IdMappingSpec => ({
    containerID: containerId,
    hostID: hostId,
    size: length,
  })
  return { uidMappings: mappings.uids.map(spec), gidMappings: mappings.gids.map(spec) }
}

/** A container that does not say has its pod's. */
function refuseOtherUser(wanted: NamespaceOptions, ofPod: NamespaceOptions): void {
  if (!wanted.user) return
  const { mode } = wanted.user
  if (mode !== 'pod' && mode !== 'node') {
    throw new RuntimeError(
      'invalid-argument',
      `namespace_options.userns_options.mode is ${mode}: only POD and NODE are allowed`,
    )
  }
  const [asked, has] = [userMappings(wanted), userMappings(ofPod)]
  const isSame =
    asked && has ? sameMappings(asked.uids, has.uids) && sameMappings(asked.gids, has.gids) : asked === has
  if (isSame) return
  throw new RuntimeError(
    'invalid-argument',
    'namespace_options.userns_options: the container asks for another user namespace than its pod sandbox has',
  )
}

function pidNamespace(input: NamespaceInput): NamespaceSpec | undefined {
  const mode = input.config.security.namespaces.pid
  switch (mode) {
    case 'node':
      return undefined
    case 'container':
      return { type: 'pid' }
    case 'target':
      if (input.targetPid === undefined) {
        throw new RuntimeError(
          'failed-precondition',
          `target container ${input.config.security.namespaces.targetId} is not running`,
        )
      }
      return { type: 'pid', path: `/proc/${input.targetPid}/ns/pid` }
    case 'pod':
      return podPidNamespace(input)
  }
}

function podPidNamespace(input: NamespaceInput): NamespaceSpec | undefined {
  const mode = input.pod.config.namespaces.pid
  if (mode === 'node') return undefined
  return mode === 'pod' ? { type: 'pid', path: input.podPaths.pid } : { type: 'pid' }
}
