import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'
import type { PodMetrics } from '#engine/model/stats'
import type { v1 } from '#proto'
import { fromFamily, fromSubject } from './metric-family.ts'
import { cgroupFamilies } from './metrics-cgroup.ts'
import { containerFamilies } from './metrics-container.ts'
import { networkFamilies } from './metrics-network.ts'

/** Label `container` of what belongs to the pod and to none of its containers. */
const sandboxName = 'POD'

export function metricDescriptors(): v1.MetricDescriptor.$Properties[] {
  return [...cgroupFamilies, ...containerFamilies, ...networkFamilies].map(fromFamily)
}

/** `containers`: by id; one that is not there has gone meanwhile and is left out. */
export function fromPodMetrics(
  pod: Pod,
  { stats, cgroup, containers: measured }: PodMetrics,
  containers: ReadonlyMap<string, Container>,
): v1.PodSandboxMetrics.$Properties {
  const { name, namespace } = pod.config.metadata
  const owner = { container: '', id: cgroup, image: '', name: '', namespace, pod: name }
  const sandbox = { ...owner, container: sandboxName, name: pod.id }
  return {
    podSandboxId: pod.id,
    metrics: [
      ...(cgroup === '' ? [] : fromSubject(cgroupFamilies, owner, stats)),
      ...(stats.network ? fromSubject(networkFamilies, sandbox, stats.network) : []),
    ],
    containerMetrics: measured.flatMap(metrics => {
      const container = containers.get(metrics.stats.id)
      if (!container) return []
      const own = { ...owner, ...ownerOf(container), id: metrics.cgroup }
      return {
        containerId: container.id,
        metrics: [
          ...fromSubject(cgroupFamilies, own, metrics.stats),
          ...fromSubject(containerFamilies, own, { container, metrics }),
        ],
      }
    }),
  }
}

function ownerOf({ id, config, imageRef }: Container): {
  readonly container: string
  readonly image: string
  readonly name: string
} {
  return { container: config.metadata.name, image: config.userSpecifiedImage || imageRef, name: id }
}
