import { type Ctx, detached } from '#base/context'
import { batchLimits, type Host, type OpenFiles } from '#shim/host'
import { cgroupDirectories, cgroupDirectory } from '../host/cgroup-paths.ts'
import type { CgroupLayout } from '../host/cgroups.ts'

const limits = { timeoutMs: 30_000 } as const

const none: OpenFiles = { processes: 0, files: 0, sockets: 0 }

/** Looks at the processes of cgroups, sub-cgroups included; in the order of `cgroupsPaths`, "" has none. */
export interface ProcessCounts {
  of(ctx: Ctx, cgroupsPaths: readonly string[]): Promise<readonly number[]>
  /** Also what they have open, which costs a system call for each descriptor. */
  openFiles(ctx: Ctx, cgroupsPaths: readonly string[]): Promise<readonly OpenFiles[]>
}

export function createProcessCounts(deps: {
  readonly host: Pick<Host, 'openFiles'>
  readonly layout: CgroupLayout
}): ProcessCounts {
  async function look(
    ctx: Ctx,
    cgroupsPaths: readonly string[],
    isCountOnly: boolean,
  ): Promise<readonly OpenFiles[]> {
    const wanted = cgroupsPaths.filter(path => path !== '')
    const batches: Promise<readonly OpenFiles[]>[] = []
    for (let at = 0; at < wanted.length; at += batchLimits.paths) {
      const cgroups = wanted
        .slice(at, at + batchLimits.paths)
        .map(path => processDirectory(deps.layout, path))
      batches.push(deps.host.openFiles(detached(ctx, limits.timeoutMs), cgroups, isCountOnly))
    }
    const found = (await Promise.all(batches)).flat().values()
    return cgroupsPaths.map(path => (path === '' ? none : (found.next().value ?? none)))
  }
  return {
    of: async (ctx, cgroupsPaths) => (await look(ctx, cgroupsPaths, true)).map(({ processes }) => processes),
    openFiles: (ctx, cgroupsPaths) => look(ctx, cgroupsPaths, false),
  }
}

/** Processes are listed in every hierarchy that the cgroup is in: any one will do. */
function processDirectory(layout: CgroupLayout, cgroupsPath: string): string {
  return (
    cgroupDirectory(layout, cgroupsPath, 'pids') ?? cgroupDirectories(layout, cgroupsPath)[0] ?? cgroupsPath
  )
}
