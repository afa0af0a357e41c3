import type { Ctx } from '#base/context'
import type { Programs } from '#base/programs'

/** Bits of SandboxNamespaces.flags (shim/PROTOCOL.md, SANDBOX). */
export const namespaceFlags = { network: 1, ipc: 2, uts: 4, pid: 8 } as const

export interface SandboxNamespaces {
  /** Existing directory; the namespaces are pinned on its files `net`, `ipc`, `uts`, `pid`. */
  readonly directory: string
  /** Which namespaces to make: namespaceFlags or-ed. */
  readonly flags: number
  readonly hostname?: string
  /** `key=value`, set inside the new namespaces. */
  readonly sysctls: readonly string[]
  /** Size of the tmpfs on `directory/shm`; 0 for none. */
  readonly shmBytes: number
  /** Needed with namespaceFlags.pid: the program that becomes PID 1. */
  readonly pauseProgram?: string
  /** cgroup directories that the pause process joins. */
  readonly pauseCgroups: readonly string[]
}

export interface OverlayMount {
  /** Layers, upper and work may be relative to it. */
  readonly directory: string
  /** Lower directories, topmost first; at least one. */
  readonly layers: readonly string[]
  /** Absent for a read-only view. */
  readonly upper?: string
  readonly work?: string
  readonly target: string
  readonly options?: string
}

export interface DetachedProgram {
  readonly argv: readonly string[]
  readonly env: readonly string[]
  /** Unix socket that the program inherits, listening, as fd 3. At most 107 bytes. */
  readonly socketPath: string
  readonly stderrPath: string
}

/**
 * The daemon's hand in the kernel: `lighter-host`, one long-lived native process (shim/PROTOCOL.md). If it dies,
 * running calls fail with `unavailable` and it is started again.
 *
 * A failed system call becomes a RuntimeError whose message names the object and the errno: ENOENT `not-found`,
 * EEXIST `already-exists`, ENOSPC/EDQUOT/EFBIG `resource-exhausted`, EPERM/EACCES `permission-denied`, EWOULDBLOCK
 * (LOCK) and EBUSY `failed-precondition`, EAGAIN elsewhere `unavailable`, EINVAL (SANDBOX, RUN) `invalid-argument`,
 * ETIMEDOUT `deadline-exceeded`, ECANCELED `cancelled`, anything else `internal`.
 *
 * Aborting ctx ends a run(); other calls that were begun go on, and settle when the host answers, because half of
 * a mount is nothing to leave behind. A call that takes far too long (hostLimits) is `deadline-exceeded`: it may
 * still have its effect later.
 */
export interface Host extends Programs {
  start(): Promise<void>
  /** Ends the host; its running children are killed, detached programs stay. */
  stop(): Promise<void>
  /** Holds an exclusive flock on the file for as long as the daemon lives (taken again after a restart of the host). */
  lock(path: string, waitMs: number): Promise<void>
  /** Answers the pid. */
  launch(ctx: Ctx, program: DetachedProgram): Promise<number>
  /** All or nothing. Answers the pid of the pause process if there is one. */
  createSandbox(ctx: Ctx, sandbox: SandboxNamespaces): Promise<number | undefined>
  mountOverlay(ctx: Ctx, mount: OverlayMount): Promise<void>
  bind(ctx: Ctx, bind: BindMount): Promise<void>
  /** Detaches everything mounted on the paths and removes the mount points; absent is fine. */
  unmount(ctx: Ctx, paths: readonly string[]): Promise<void>
  removeTree(ctx: Ctx, paths: readonly string[]): Promise<void>
  /** A regular file inside a root file system, links resolved as in a chroot; undefined if there is none. */
  readInRoot(ctx: Ctx, root: string, path: string, maxBytes: number): Promise<Buffer | undefined>
  diskUsage(ctx: Ctx, paths: readonly string[]): Promise<DiskUsage>
  /** Answers how many processes were signalled. */
  killCgroup(ctx: Ctx, cgroups: readonly string[], signal: number): Promise<number>
  removeCgroup(ctx: Ctx, cgroups: readonly string[]): Promise<void>
  /** Signals a process only if its comm is `name`; false if there is no such process. */
  killProcess(
    ctx: Ctx,
    process: { readonly pid: number; readonly name: string; readonly signal: number },
  ): Promise<boolean>
}

export interface BindMount {
  readonly source: string
  readonly target: string
  readonly isReadOnly: boolean
  readonly isRecursive: boolean
}

export interface DiskUsage {
  readonly bytes: number
  readonly inodes: number
}
