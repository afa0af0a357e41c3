import { RuntimeError } from '#base/errors'
import type { CgroupLayout } from '../../host/cgroups.ts'
import type { ContainerConfig } from '../../model/container.ts'
import type { NamespaceMode } from '../../model/linux.ts'
import type { Pod } from '../../model/pod.ts'
import type { SpecInput } from './spec-input.ts'
import type { NamespaceSpec } from './types.ts'

interface NamespaceInput {
  readonly config: ContainerConfig
  readonly pod: Pod
  readonly podPaths: SpecInput['podPaths']
  readonly targetPid: number | undefined
  readonly cgroups: CgroupLayout
}

/**
 * The namespaces of a container: network, IPC and UTS are the pod's. `pod` means what the pod has (shared, the
 * host's, or one per container); the host's is refused unless the pod has it too.
 */
export function containerNamespaces(input: NamespaceInput): readonly NamespaceSpec[] {
  const wanted = input.config.security.namespaces
  const ofPod = input.pod.config.namespaces
  for (const kind of ['network', 'ipc', 'pid'] as const) refuseHostOnly(kind, wanted[kind], ofPod[kind])

  const namespaces: NamespaceSpec[] = [{ type: 'mount' }]
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
