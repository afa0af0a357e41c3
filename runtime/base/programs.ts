import type { Ctx } from './context.ts'

/** A program to run to its end. Node never forks by itself: a helper process spawns every child. */
export interface Program {
  /** Absolute path first, then the arguments. */
  readonly argv: readonly string[]
  /** The whole environment of the child, `KEY=value`; nothing is inherited. */
  readonly env: readonly string[]
  readonly stdin?: string | Uint8Array
  readonly cwd?: string
  /** After this long the whole process group is killed and the call fails with `deadline-exceeded`. */
  readonly timeoutMs: number
  /**
   * True: when the daemon dies meanwhile, the program gets a few seconds to finish before it is killed, since half of
   * what it does cannot be undone. Default false.
   */
  readonly mayFinish?: boolean
}

/** How a program ended. Output beyond `programLimits.outputBytes` per stream is read and dropped. */
export interface ProgramResult {
  /** Exit code; 128 + n when signal n ended it. */
  readonly exitCode: number
  readonly stdout: Buffer
  readonly stderr: Buffer
}

export const programLimits = { outputBytes: 1024 * 1024 } as const

/** Runs programs. Aborting `ctx.signal` kills the process group; the call settles when it is gone. */
export interface Programs {
  /** Errors: `not-found` (no such program), `deadline-exceeded`, `cancelled`, `unavailable` (helper died). */
  run(ctx: Ctx, program: Program): Promise<ProgramResult>
}
