import type { Container } from '#engine/model/container'
import type { ContainerStats } from '#engine/model/stats'
import type { v1 } from '#proto'
import { fromBigInt, uint64Value } from './integers.ts'

export function fromStats(container: Container, stats: ContainerStats): v1.ContainerStats.$Properties {
  const timestamp = fromBigInt(stats.timestampNs)
  const { memory, writableLayer } = stats
  return {
    attributes: {
      id: container.id,
      metadata: container.config.metadata,
      labels: container.config.labels,
      annotations: container.config.annotations,
    },
    cpu: { timestamp, usageCoreNanoSeconds: uint64Value(stats.cpuUsageNs) },
    memory: {
      timestamp,
      workingSetBytes: uint64Value(memory.workingSet),
      availableBytes: uint64Value(memory.available),
      usageBytes: uint64Value(memory.usage),
      rssBytes: uint64Value(memory.rss),
      pageFaults: uint64Value(memory.pageFaults),
      majorPageFaults: uint64Value(memory.majorPageFaults),
    },
    ...(writableLayer && {
      writableLayer: {
        timestamp,
        fsId: { mountpoint: writableLayer.mountpoint },
        usedBytes: uint64Value(writableLayer.bytes),
        inodesUsed: uint64Value(writableLayer.inodes),
      },
    }),
  }
}
