import type { Container } from '#engine/model/container'
import type { CgroupStats, ContainerStats, Pressure, PressureLine } from '#engine/model/stats'
import type { v1 } from '#proto'
import { fromBigInt, fromNumber, uint64Value } from './integers.ts'

export function fromStats(container: Container, stats: ContainerStats): v1.ContainerStats.$Properties {
  const timestamp = fromBigInt(stats.timestampNs)
  const { swap, writableLayer } = stats
  return {
    attributes: {
      id: container.id,
      metadata: container.config.metadata,
      labels: container.config.labels,
      annotations: container.config.annotations,
    },
    cpu: fromCpu(stats),
    memory: fromMemory(stats),
    ...(writableLayer && {
      writableLayer: {
        timestamp,
        fsId: { mountpoint: writableLayer.mountpoint },
        usedBytes: uint64Value(writableLayer.bytes),
        inodesUsed: uint64Value(writableLayer.inodes),
      },
    }),
    ...(swap && {
      swap: {
        timestamp,
        swapUsageBytes: uint64Value(swap.usage),
        ...(swap.available !== undefined && { swapAvailableBytes: uint64Value(swap.available) }),
      },
    }),
    io: fromIo(stats),
  }
}

export function fromCpu({ timestampNs, cpu }: CgroupStats): v1.CpuUsage.$Properties {
  return {
    timestamp: fromBigInt(timestampNs),
    usageCoreNanoSeconds: uint64Value(cpu.usageNs),
    ...(cpu.usageNanoCores !== undefined && { usageNanoCores: uint64Value(cpu.usageNanoCores) }),
    ...(cpu.pressure && { psi: fromPressure(cpu.pressure) }),
  }
}

export function fromMemory({ timestampNs, memory }: CgroupStats): v1.MemoryUsage.$Properties {
  return {
    timestamp: fromBigInt(timestampNs),
    workingSetBytes: uint64Value(memory.workingSet),
    ...(memory.available !== undefined && { availableBytes: uint64Value(memory.available) }),
    usageBytes: uint64Value(memory.usage),
    rssBytes: uint64Value(memory.rss),
    pageFaults: uint64Value(memory.pageFaults),
    majorPageFaults: uint64Value(memory.majorPageFaults),
    ...(memory.pressure && { psi: fromPressure(memory.pressure) }),
  }
}

/** Pressure is all that the interface has of I/O. */
export function fromIo({ timestampNs, ioPressure }: CgroupStats): v1.IoUsage.$Properties {
  return { timestamp: fromBigInt(timestampNs), ...(ioPressure && { psi: fromPressure(ioPressure) }) }
}

function fromPressure({ some, full }: Pressure): v1.PsiStats.$Properties {
  return { Some: fromPressureLine(some), Full: fromPressureLine(full) }
}

function fromPressureLine(line: PressureLine): v1.PsiData.$Properties {
  return { Total: fromNumber(line.totalUs), Avg10: line.avg10, Avg60: line.avg60, Avg300: line.avg300 }
}
