import { hostname } from 'node:os'
import type { Pod } from '../model/pod.ts'

/** What processes in the pod get from gethostname(2): the host's name in its network, else the pod's own. */
export function podHostname(pod: Pick<Pod, 'id' | 'config'>): string {
  if (pod.config.namespaces.network === 'node') return hostname()
  return pod.config.hostname || pod.id.slice(0, 12)
}
