import type { Ctx } from '#base/context'

/** What a new shim has to know (shim/PROTOCOL.md, lighter-shim). */
export interface ShimSpec {
  readonly id: string
  readonly bundlePath: string
  readonly runtimePath: string
  readonly runtimeRoot: string
  readonly socketPath: string
  readonly exitPath: string
  readonly pidPath: string
  /** CRI log file; undefined: output is read and dropped. */
  readonly logPath: string | undefined
  /** memory.events (v2) or memory.oom_control (v1) of the container's cgroup; on v2 the one above, too. */
  readonly oomPath: string | undefined
  /** Who the pipes of the container and its execs belong to; undefined: the host's root. */
  readonly ioOwner: { readonly uid: number; readonly gid: number } | undefined
  readonly hasTty: boolean
  readonly hasStdin: boolean
  readonly isStdinOnce: boolean
  readonly hasSystemdCgroup: boolean
  /** Begins from a checkpoint instead of running its process. */
  readonly restore?: ShimRestore | undefined
}

export interface ShimRestore {
  /** CRIU images; not changed. */
  readonly imagesPath: string
  /** Where the OCI runtime finds `criu`. */
  readonly criuDirectory: string
}

export interface ContainerExit {
  /** 128 + n for signal n. */
  readonly exitCode: number
  /** 0 if the process exited by itself. */
  readonly signal: number
  readonly isOomKilled: boolean
  /** Nanoseconds since the epoch. */
  readonly finishedAtNs: bigint
}

export type ShimState =
  | { readonly kind: 'creating' }
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'exited'; readonly exit: ContainerExit }
  /** The OCI runtime could not start the container. */
  | { readonly kind: 'failed'; readonly message: string }

/** A subscription to the state of one container. */
export interface ShimWatch {
  /** Settles at the first state that is not `creating`. Rejects with `unavailable` if the shim goes away before. */
  readonly started: Promise<ShimState>
  /** Settles at `exited` or `failed`; with undefined if the connection ended without either (the shim was killed). */
  readonly ended: Promise<ShimState | undefined>
  /** Resolves when the connection is closed: after an end that means the container is deleted and the shim is gone. */
  readonly gone: Promise<void>
  close(): void
}

export interface ExecSpec {
  readonly execId: string
  /** OCI process.json (config.md, Process). */
  readonly processPath: string
  readonly hasTty: boolean
  readonly hasStdin: boolean
  /** Kill the session of the process when this connection closes. */
  readonly isKilledOnClose: boolean
  /** How long the OCI runtime may take to start it; at most 120 s. */
  readonly startTimeoutMs: number
}

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Buffer
}

/** A connection to the standard streams of a process. The caller must close it. */
export interface AttachSession {
  /**
   * Chunks as they come, for one reader; ends with the process or the connection. Not reading them stops the
   * process of an exec, it does not fill memory; an attached client that does not read is cut off after 10 s.
   */
  readonly output: AsyncIterable<OutputChunk>
  /**
   * Settles when the process ended and its output was read; before its last output was taken it does not.
   * Errors: `unavailable` if the connection ended before.
   */
  readonly exited: Promise<{ readonly exitCode: number; readonly signal: number }>
  /**
   * Resolves when the process' standard input (its pipe or terminal) has taken the bytes, or nobody will ever read
   * them. Errors: `unavailable` once the session is over.
   */
  write(data: Uint8Array): Promise<void>
  /** After what is being written. Has no effect on a terminal. */
  endInput(): void
  resize(rows: number, columns: number): void
  close(): void
}

/** One process run inside a container. */
export interface ExecSession extends AttachSession {
  readonly pid: number
  /** Signals the process group of the process; SIGKILL ends every process of its session. */
  kill(signal: number): void
}

/** Starts shims and talks to them. A shim that does not answer is `unavailable`. */
export interface Shims {
  /** Starts a shim, which starts the container; watch it to learn how that went. */
  launch(ctx: Ctx, spec: ShimSpec): Promise<void>
  /** Errors: `not-found` when nothing listens there. */
  watch(ctx: Ctx, socketPath: string): Promise<ShimWatch>
  /** False if init is already gone. While the container is being created, SIGKILL ends the runtime. */
  kill(ctx: Ctx, socketPath: string, signal: number): Promise<boolean>
  /**
   * Errors: `failed-precondition` with the runtime's message if the process cannot be started, `deadline-exceeded`
   * if that takes too long.
   */
  exec(ctx: Ctx, socketPath: string, spec: ExecSpec): Promise<ExecSession>
  /** Errors: `not-found` when nothing listens there. If the new file cannot be opened the old one stays in use. */
  reopenLog(ctx: Ctx, socketPath: string): Promise<void>
  /** Output from now on, until the container ends. Input is for containers that have standard input. */
  attach(ctx: Ctx, socketPath: string, input: { readonly hasStdin: boolean }): Promise<AttachSession>
  /** Errors: `failed-precondition` without a terminal. */
  resize(
    ctx: Ctx,
    socketPath: string,
    size: { readonly rows: number; readonly columns: number },
  ): Promise<void>
}

/** The exit file that a shim leaves behind; undefined if there is none (yet). Implemented in exit-file.ts. */
export type ReadExitFile = (path: string) => Promise<ShimState | undefined>
