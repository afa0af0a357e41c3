import type { PodFilter } from '#engine/engine'
import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'
import type { InterfaceStats, NetworkStats, PodStats } from '#engine/model/stats'
import type { v1 } from '#proto'
import { textMap } from './fields.ts'
import { fromBigInt, uint64Value } from './integers.ts'
import { fromCpu, fromIo, fromMemory, fromStats } from './stats.ts'

/** The interface that the network plugins of Kubernetes make first. */
const defaultInterface = 'eth0'

export function toPodStatsFilter(input: v1.PodSandboxStatsFilter.$Properties | null | undefined): PodFilter {
  if (!input) return {}
  return { ...(input.id ? { id: input.id } : {}), labels: textMap(input.labelSelector) }
}

/** `containers`: by id; one that is not there has gone meanwhile and is left out. */
export function fromPodStats(
  pod: Pod,
  stats: PodStats,
  containers: ReadonlyMap<string, Container>,
): v1.PodSandboxStats.$Properties {
  const timestamp = fromBigInt(stats.timestampNs)
  return {
    attributes: {
      id: pod.id,
      metadata: pod.config.metadata,
      labels: pod.config.labels,
      annotations: pod.config.annotations,
    },
    linux: {
      cpu: fromCpu(stats),
      memory: fromMemory(stats),
      ...(stats.network && { network: fromNetwork(stats.network) }),
      process: { timestamp, processCount: uint64Value(stats.processes) },
      containers: stats.containers.flatMap(found => {
        const container = containers.get(found.id)
        return container ? [fromStats(container, found)] : []
      }),
      io: fromIo(stats),
    },
  }
}

/** The list is without the default interface, which has a field of its own. */
function fromNetwork({ timestampNs, interfaces }: NetworkStats): v1.NetworkUsage.$Properties {
  const main = interfaces.find(({ name }) => name === defaultInterface) ?? interfaces[0]
  return {
    timestamp: fromBigInt(timestampNs),
    ...(main && { defaultInterface: fromInterface(main) }),
    interfaces: interfaces.filter(found => found !== main).map(fromInterface),
  }
}

function fromInterface({ name, rx, tx }: InterfaceStats): v1.NetworkInterfaceUsage.$Properties {
  return {
    name,
    rxBytes: uint64Value(rx.bytes),
    rxErrors: uint64Value(rx.errors),
    txBytes: uint64Value(tx.bytes),
    txErrors: uint64Value(tx.errors),
  }
}
