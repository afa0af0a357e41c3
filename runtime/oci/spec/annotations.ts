import type { ContainerId } from '#base/ids'
import type { CgroupLayout } from '../../host/cgroups.ts'
import type { ContainerConfig } from '../../model/container.ts'
import type { Pod } from '../../model/pod.ts'

/**
 * Annotations that OCI runtimes, hooks and plugins of other projects know a Kubernetes container by. Of the
 * client's own those pass that the handler allows; a container's hides its pod's, and none hides one of ours.
 */
export function containerAnnotations(input: {
  readonly id: ContainerId
  readonly config: ContainerConfig
  readonly pod: Pod
  readonly imageName: string
  readonly allowedAnnotations: readonly string[]
  readonly facts: { readonly cgroups: Pick<CgroupLayout, 'driver'> }
}): Readonly<Record<string, string>> {
  const { metadata } = input.pod.config
  return {
    ...allowed(input.pod.config.annotations, input.allowedAnnotations),
    ...allowed(input.config.annotations, input.allowedAnnotations),
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.container-name': input.config.metadata.name,
    'io.kubernetes.cri.image-name': input.imageName,
    'io.kubernetes.cri.sandbox-id': input.pod.id,
    'io.kubernetes.cri.sandbox-name': metadata.name,
    'io.kubernetes.cri.sandbox-namespace': metadata.namespace,
    'io.kubernetes.cri.sandbox-uid': metadata.uid,
    // crun would put the container, and its limits, into a group below the scope that everybody else looks at: crun(1).
    ...(input.facts.cgroups.driver === 'systemd' && { 'run.oci.systemd.subgroup': '' }),
  }
}

function allowed(
  annotations: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  const isAllowed = (key: string): boolean =>
    names.some(name => (name.endsWith('*') ? key.startsWith(name.slice(0, -1)) : key === name))
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => isAllowed(key)))
}
