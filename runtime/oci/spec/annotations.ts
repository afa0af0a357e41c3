import type { ContainerId } from '#base/ids'
import type { ContainerConfig } from '../../model/container.ts'
import type { Pod } from '../../model/pod.ts'

/**
 * Annotations that OCI runtimes, hooks and plugins of other projects know a Kubernetes container by. The
 * client's own annotations are not passed on.
 */
export function containerAnnotations(input: {
  readonly id: ContainerId
  readonly config: ContainerConfig
  readonly pod: Pod
  readonly imageName: string
}): Readonly<Record<string, string>> {
  const { metadata } = input.pod.config
  return {
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.container-name': input.config.metadata.name,
    'io.kubernetes.cri.image-name': input.imageName,
    'io.kubernetes.cri.sandbox-id': input.pod.id,
    'io.kubernetes.cri.sandbox-name': metadata.name,
    'io.kubernetes.cri.sandbox-namespace': metadata.namespace,
    'io.kubernetes.cri.sandbox-uid': metadata.uid,
  }
}
