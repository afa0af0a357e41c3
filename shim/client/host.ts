import type { Duplex } from 'node:stream'
import type { Ctx } from '#base/context'
import type { Programs } from '#base/programs'

/** Bits of SandboxNamespaces.flags (shim/PROTOCOL.md, SANDBOX). */
export const namespaceFlags = { network: 1, ipc: 2, uts: 4, pid: 8, user: 16 } as const

/** One line of a uid_map or gid_map (user_namespaces(7)). */
export interface IdMapping {
  readonly containerId: number
  readonly hostId: number
  readonly length: number
}

/** Both lists are empty, or none is. */
export interface IdMappings {
  readonly uids: readonly IdMapping[]
  readonly gids: readonly IdMapping[]
}

/** What a mount forbids (mount_setattr(2)). */
export type MountAttribute = 'ro' | 'noexec' | 'nodev' | 'nosuid'

export interface SandboxNamespaces {
  /** Existing directory; the namespaces are pinned on its files `net`, `ipc`, `uts`, `pid`, `user`. */
  readonly directory: string
  /** Which namespaces to make: namespaceFlags or-ed. */
  readonly flags: number
  /** Given with namespaceFlags.user: the other namespaces, and what is on shm, belong to that one. */
  readonly idMappings?: IdMappings
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
  /** Layers show their files' ids mapped; upper and work are as they are. Linux 5.19. */
  readonly idMappings?: IdMappings
  /**
   * Only this part, a directory or a regular file, links followed as in a chroot. Errors: `not-found` if there is
   * none.
   */
  readonly subPath?: string
  readonly attributes?: readonly MountAttribute[]
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
  /**
   * Fills the empty directory `target` with a copy of the directory `source` of a root file system, links resolved as in
   * a chroot; owners, modes, times and extended attributes are those of the original, also of the directory itself.
   * Without such a directory nothing happens. After an error the target holds a part.
   */
  copyFromRoot(ctx: Ctx, copy: CopyFromRoot): Promise<void>
  /** Gives trees an SELinux label; other mounts in them are passed over. Errors: `not-found`. */
  relabel(ctx: Ctx, paths: readonly string[], label: string): Promise<void>
  diskUsage(ctx: Ctx, paths: readonly string[]): Promise<DiskUsage>
  /** Answers how many processes were signalled. */
  killCgroup(ctx: Ctx, cgroups: readonly string[], signal: number): Promise<number>
  removeCgroup(ctx: Ctx, cgroups: readonly string[]): Promise<void>
  /** Signals a process only if its comm is `name`; false if there is no such process. */
  killProcess(
    ctx: Ctx,
    process: { readonly pid: number; readonly name: string; readonly signal: number },
  ): Promise<boolean>
  /**
   * The caller destroys the connection; half-close works in both directions, and a reset ends it. Errors:
   * `failed-precondition` when nothing listens on the port, `unavailable` when something does and does not answer,
   * `not-found` without the namespace, `resource-exhausted` when too many connections are forwarded.
   */
  forward(ctx: Ctx, forward: PortForward): Promise<Duplex>
  /**
   * The text of net/dev (proc_pid_net(5)) in each of the network namespaces that are pinned on these paths, at most
   * batchLimits.paths; "" for a pin that is gone.
   */
  netDevices(ctx: Ctx, pins: readonly string[]): Promise<readonly string[]>
  /**
   * What the processes in each cgroup and below it have open; at most batchLimits.paths cgroups. With isCountOnly
   * just the processes are counted.
   */
  openFiles(ctx: Ctx, cgroups: readonly string[], isCountOnly: boolean): Promise<readonly OpenFiles[]>
}

/** Objects in one request, so that the answer fits a frame. */
export const batchLimits = { paths: 48 } as const

/** All 0 for a cgroup that does not exist. */
export interface OpenFiles {
  readonly processes: number
  /** Descriptors; the host stops counting at 100000. */
  readonly files: number
  readonly sockets: number
}

/** A TCP connection into a network namespace. */
export interface PortForward {
  /** Pin of the namespace; undefined: the host's. */
  readonly networkPath: string | undefined
  /** Of localhost in it: 127.0.0.1 first, then ::1. */
  readonly port: number
  /** For a unix socket (at most 107 bytes) that exists only until this call has connected to it. */
  readonly socketPath: string
}

export interface BindMount {
  /** Without links on its way. Errors: `failed-precondition` if there is one. */
  readonly source: string
  readonly target: string
  /** With the mounts below the source. */
  readonly isRecursive: boolean
  readonly attributes: readonly MountAttribute[]
  /** The mounts below have the attributes, too. */
  readonly hasAttributesBelow?: boolean
  /** What is mounted below the source later appears; otherwise the mount is private. */
  readonly isSlave?: boolean
  /** The top mount shows its files' ids mapped. Errors: `failed-precondition` if its file system cannot do that. */
  readonly idMappings?: IdMappings
}

export interface CopyFromRoot {
  readonly root: string
  readonly source: string
  readonly target: string
}

export interface DiskUsage {
  readonly bytes: number
  readonly inodes: number
}
