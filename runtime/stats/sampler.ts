import type { Clock } from '#base/clock'
import { createLimiter } from '#base/locks'
import type { CgroupLayout } from '../host/cgroups.ts'
import type { CgroupStats } from '../model/stats.ts'
import { cgroupFiles, type ReadCgroupFile, readCgroupFigures } from './cgroup-figures.ts'
import type { KeptFiles, TextFiles } from './text-files.ts'

export const sampleLimits = {
  /**
   * Figures of a cgroup are as old as this at most. Less than a second: crictl looks twice, a second apart, and
   * wants two different times.
   */
  freshMs: 500,
  /** Cgroups read at the same time. */
  atOnce: 16,
} as const

/** Figures of cgroups by key, shared by all who ask within a short time. */
export interface Sampler {
  /** `cgroupsPath` as in Container; "" has no figures. */
  sample(key: string, cgroupsPath: string): Promise<CgroupStats>
  /** Lets go of all others. */
  keepOnly(keys: ReadonlySet<string>): void
}

export interface SamplerDeps {
  readonly layout: CgroupLayout
  readonly files: TextFiles
  readonly clock: Clock
}

interface Entry {
  readonly cgroupsPath: string
  readonly files: KeptFiles
  readonly read: ReadCgroupFile
  askedAtNs: bigint
  stats: Promise<CgroupStats>
}

export function createSampler(deps: SamplerDeps): Sampler {
  const limiter = createLimiter(sampleLimits.atOnce)
  const entries = new Map<string, Entry>()

  function look(read: ReadCgroupFile, before?: Promise<CgroupStats>): Promise<CgroupStats> {
    return limiter.run(async () => {
      const timestampNs = deps.clock.now()
      const figures = await readCgroupFigures(deps.layout, read)
      const last = await before?.catch(() => undefined)
      const usageNanoCores = nanoCores(last, timestampNs, figures.cpu.usageNs)
      return { ...figures, timestampNs, cpu: { ...figures.cpu, usageNanoCores } }
    })
  }

  function isFresh(entry: Entry): boolean {
    const ageNs = deps.clock.now() - entry.askedAtNs
    return ageNs >= 0n && ageNs < BigInt(sampleLimits.freshMs) * 1_000_000n
  }

  function begin(key: string, cgroupsPath: string): Entry {
    const files = deps.files.keep()
    const read = cgroupFiles(deps.layout, cgroupsPath, path => files.read(path))
    const entry = { cgroupsPath, files, read, askedAtNs: deps.clock.now(), stats: look(read) }
    entries.set(key, entry)
    return entry
  }

  return {
    async sample(key, cgroupsPath) {
      const entry = entries.get(key)
      if (entry?.cgroupsPath !== cgroupsPath) {
        entry?.files.close()
        return begin(key, cgroupsPath).stats
      }
      if (isFresh(entry)) return entry.stats
      const before = entry.stats
      entry.askedAtNs = deps.clock.now()
      // One after the other: the same files are read.
      entry.stats = before.then(
        () => look(entry.read, before),
        () => look(entry.read),
      )
      return entry.stats
    },
    keepOnly(keys) {
      for (const [key, entry] of entries) {
        if (keys.has(key)) continue
        entries.delete(key)
        entry.files.close()
      }
    },
  }
}

function nanoCores(last: CgroupStats | undefined, nowNs: bigint, usageNs: bigint): number | undefined {
  if (!last || nowNs <= last.timestampNs || usageNs < last.cpu.usageNs) return undefined
  return Number(((usageNs - last.cpu.usageNs) * 1_000_000_000n) / (nowNs - last.timestampNs))
}
