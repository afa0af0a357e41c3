import type { Pod } from '#engine/model/pod'
import type { NamespaceSpec } from '#engine/oci/spec/types'
import type { api } from '#nri-proto'
import { fromResources } from './resources.ts'

/** A pod as plugins see it; `namespaces` are those that it keeps. */
export function fromPod(pod: Pod, namespaces: readonly NamespaceSpec[]): api.PodSandbox.$Properties {
  const { metadata, labels, annotations, overhead, resources, cgroupParent } = pod.config
  return {
    id: pod.id,
    name: metadata.name,
    uid: metadata.uid,
    namespace: metadata.namespace,
    labels,
    annotations,
    runtimeHandler: pod.runtimeHandler,
    pid: pod.pausePid ?? 0,
    ips: [...pod.network.ips],
    linux: {
      podOverhead: overhead ? fromResources(overhead) : null,
      podResources: resources ? fromResources(resources) : null,
      cgroupParent,
      namespaces: fromNamespaces(namespaces),
    },
  }
}

export function fromNamespaces(namespaces: readonly NamespaceSpec[]): api.LinuxNamespace.$Properties[] {
  return namespaces.map(({ type, path }) => ({ type, path: path ?? '' }))
}
