import type { Duplex } from 'node:stream'
import type { Ctx } from '#base/context'

export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** A connection to the standard streams of a process. The caller must close it. */
export interface Session {
  /**
   * Chunks in order, for one reader; ends with the process or the connection. Not reading makes the process of an
   * exec wait, it does not fill memory. With a terminal everything is stdout.
   */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>
  /** Settles when the process ended and its output was read. Errors: `unavailable` if the connection ended before. */
  readonly exited: Promise<{ readonly exitCode: number }>
  /** Resolves when standard input has taken the bytes, or nobody will ever read them. */
  write(data: Uint8Array): Promise<void>
  /** After what is being written. Has no effect on a terminal. */
  endInput(): void
  /** Ignored without a terminal. */
  resize(size: TerminalSize): void
  /** Ends an exec with every process of its session; leaves an attached container alone. */
  close(): void
}

export interface ExecInput {
  /** Id or unique prefix. */
  readonly containerId: string
  readonly command: readonly string[]
  readonly hasTty: boolean
  readonly hasStdin: boolean
}

export interface AttachInput {
  readonly containerId: string
  readonly hasStdin: boolean
}

/** Long-lived connections into pods. They end with their caller: aborting ctx closes a session that was made. */
export interface SessionOperations {
  /** Errors: `not-found`, `failed-precondition` when the container does not run or the command cannot be started. */
  exec(ctx: Ctx, input: ExecInput): Promise<Session>
  /** Output from now on. Errors: `not-found`, `failed-precondition` when the container does not run. */
  attach(ctx: Ctx, input: AttachInput): Promise<Session>
  /**
   * A TCP connection to a port of localhost (IPv4 first, then IPv6) in the pod's network namespace; half-close works
   * in both directions. Errors: `not-found`, `failed-precondition` if the pod is not ready or nothing listens there.
   */
  forward(ctx: Ctx, input: { readonly podId: string; readonly port: number }): Promise<Duplex>
}
