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
export interface Sampler<Figures> {
  /** `cgroupsPath` as in Container; "" has no figures. */
  sample(key: string, cgroupsPath: string): Promise<Figures>
  /** Lets go of all others. */
  keepOnly(keys: ReadonlySet<string>): void
}

export interface SamplerDeps<Figures> {
  readonly layout: CgroupLayout
  readonly files: TextFiles
  readonly clock: Clock
  /** Reads a cgroup; `before` is what was found there the last time. */
  readonly look: (read: ReadCgroupFile, before: Figures | undefined) => Promise<Figures>
}

interface Entry<Figures> {
  readonly cgroupsPath: string
  readonly files: KeptFiles
  readonly read: ReadCgroupFile
  askedAtNs: bigint
  found: Promise<Figures>
}

export function createSampler<Figures>(deps: SamplerDeps<Figures>): Sampler<Figures> {
  const limiter = createLimiter(sampleLimits.atOnce)
  const entries = new Map<string, Entry<Figures>>()

  function isFresh(entry: Entry<Figures>): boolean {
    const ageNs = deps.clock.now() - entry.askedAtNs
    return ageNs >= 0n && ageNs < BigInt(sampleLimits.freshMs) * 1_000_000n
  }

  function begin(key: string, cgroupsPath: string): Entry<Figures> {
    const files = deps.files.keep()
    const read = cgroupFiles(deps.layout, cgroupsPath, path => files.read(path))
    const found = limiter.run(() => deps.look(read, undefined))
    const entry = { cgroupsPath, files, read, askedAtNs: deps.clock.now(), found }
    entries.set(key, entry)
    return entry
  }

  return {
    async sample(key, cgroupsPath) {
      const entry = entries.get(key)
      if (entry?.cgroupsPath !== cgroupsPath) {
        entry?.files.close()
        return begin(key, cgroupsPath).found
      }
      if (isFresh(entry)) return entry.found
      const look = (before?: Figures) => limiter.run(() => deps.look(entry.read, before))
      entry.askedAtNs = deps.clock.now()
      // One after the other: the same files are read.
      entry.found = entry.found.then(look, () => look())
      return entry.found
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

/** A look at what every statistics call shows. */
export function statsLook(deps: {
  readonly layout: CgroupLayout
  readonly clock: Clock
}): SamplerDeps<CgroupStats>['look'] {
  return async (read, before) => {
    const timestampNs = deps.clock.now()
    const figures = await readCgroupFigures(deps.layout, read)
    const usageNanoCores = nanoCores(before, timestampNs, figures.cpu.usageNs)
    return { ...figures, timestampNs, cpu: { ...figures.cpu, usageNanoCores } }
  }
}

function nanoCores(last: CgroupStats | undefined, nowNs: bigint, usageNs: bigint): number | undefined {
  if (!last || nowNs <= last.timestampNs || usageNs < last.cpu.usageNs) return undefined
  return Number(((usageNs - last.cpu.usageNs) * 1_000_000_000n) / (nowNs - last.timestampNs))
}
