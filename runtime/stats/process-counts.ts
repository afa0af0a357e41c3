import type { Clock } from '#base/clock'
import { type Ctx, detached } from '#base/context'
import { batchLimits, type Host, type OpenFiles } from '#shim/host'
import { cgroupDirectories, cgroupDirectory } from '../host/cgroup-paths.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import { sampleLimits } from './sampler.ts'

const limits = { timeoutMs: 30_000 } as const

const none: OpenFiles = { processes: 0, files: 0, sockets: 0 }

/** Looks at the processes of cgroups, sub-cgroups included; in the order of `cgroupsPaths`, "" has none. */
export interface ProcessCounts {
  /** As old as sampleLimits.freshMs at most. */
  of(ctx: Ctx, cgroupsPaths: readonly string[]): Promise<readonly number[]>
  /** Also what they have open, which costs a system call for each descriptor. */
  openFiles(ctx: Ctx, cgroupsPaths: readonly string[]): Promise<readonly OpenFiles[]>
}

export function createProcessCounts(deps: {
  readonly host: Pick<Host, 'openFiles'>
  readonly layout: CgroupLayout
  readonly clock: Clock
}): ProcessCounts {
  const counts = new Map<string, Entry>()

  /** In the order of the paths, none of which is "". */
  function look(ctx: Ctx, cgroupsPaths: readonly string[], isCountOnly: boolean): Promise<OpenFiles>[] {
    const found: Promise<OpenFiles>[] = []
    for (let at = 0; at < cgroupsPaths.length; at += batchLimits.paths) {
      const batch = cgroupsPaths.slice(at, at + batchLimits.paths)
      const cgroups = batch.map(path => processDirectory(deps.layout, path))
      const answer = deps.host.openFiles(detached(ctx, limits.timeoutMs), cgroups, isCountOnly)
      found.push(...batch.map(async (_, index) => (await answer)[index] ?? none))
    }
    return found
  }

  function forgetOld(): void {
    const now = deps.clock.now()
    for (const [path, { askedAtNs }] of counts) {
      const ageNs = now - askedAtNs
      if (ageNs < 0n || ageNs >= BigInt(sampleLimits.freshMs) * 1_000_000n) counts.delete(path)
    }
  }

  return {
    async of(ctx, cgroupsPaths) {
      forgetOld()
      const wanted = [...new Set(cgroupsPaths)].filter(path => path !== '' && !counts.has(path))
      const askedAtNs = deps.clock.now()
      for (const [index, found] of look(ctx, wanted, true).entries()) {
        const path = wanted[index] ?? ''
        counts.set(path, { askedAtNs, found })
        // Whoever asked sees the failure; the next one asks again.
        found.catch(() => counts.delete(path))
      }
      const found = await Promise.all(cgroupsPaths.map(async path => counts.get(path)?.found))
      return found.map(count => count?.processes ?? 0)
    },
    async openFiles(ctx, cgroupsPaths) {
      const found = await Promise.all(
        look(
          ctx,
          cgroupsPaths.filter(path => path !== ''),
          false,
        ),
      )
      const next = found.values()
      return cgroupsPaths.map(path => (path === '' ? none : (next.next().value ?? none)))
    },
  }
}

interface Entry {
  readonly askedAtNs: bigint
  readonly found: Promise<OpenFiles>
}

/** Processes are listed in every hierarchy that the cgroup is in: any one will do. */
function processDirectory(layout: CgroupLayout, cgroupsPath: string): string {
  return (
    cgroupDirectory(layout, cgroupsPath, 'pids') ?? cgroupDirectories(layout, cgroupsPath)[0] ?? cgroupsPath
  )
}
