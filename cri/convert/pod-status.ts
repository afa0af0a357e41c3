import type { Pod } from '#engine/model/pod'
import { v1 } from '#proto'
import { fromBigInt } from './integers.ts'
import { fromNamespaces } from './namespaces.ts'

/** The item of a list. */
export function fromPod(pod: Pod): v1.PodSandbox.$Properties {
  return {
    id: pod.id,
    metadata: pod.config.metadata,
    state: fromPodPhase(pod.phase),
    createdAt: fromBigInt(pod.createdAtNs),
    labels: pod.config.labels,
    annotations: pod.config.annotations,
    runtimeHandler: pod.runtimeHandler,
  }
}

/** Echoes the namespaces: without them the kubelet takes the network mode as changed and makes the pod anew. */
export function fromPodToStatus(pod: Pod): v1.PodSandboxStatus.$Properties {
  const [ip = '', ...additional] = pod.network.ips
  return {
    ...fromPod(pod),
    network: { ip, additionalIps: additional.map(address => ({ ip: address })) },
    linux: { namespaces: { options: fromNamespaces(pod.config.namespaces) } },
  }
}

function fromPodPhase(phase: Pod['phase']): v1.PodSandboxState {
  return phase === 'ready' ? v1.PodSandboxState.SANDBOX_READY : v1.PodSandboxState.SANDBOX_NOTREADY
}
