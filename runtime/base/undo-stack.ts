import { type Ctx, detached } from './context.ts'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

/** All undo steps of one failed operation together get this long. */
const undoTimeoutMs = 60_000

/** Named undo steps of a running operation, run backwards when it fails. */
export interface UndoStack {
  push(name: string, undo: (ctx: Ctx) => unknown): void
  /** Forgets the steps: the operation succeeded. */
  commit(): void
  /**
   * Runs the steps, last first, with a deadline of its own. Never throws; answers the names of the steps that
   * failed, so that the caller can keep a record of what is still there.
   */
  run(): Promise<readonly string[]>
}

export function createUndoStack(log: Log): UndoStack {
  let steps: { readonly name: string; readonly undo: (ctx: Ctx) => unknown }[] = []
  return {
    push(name, undo) {
      steps.push({ name, undo })
    },
    commit() {
      steps = []
    },
    async run() {
      const ctx = detached({ log, signal: new AbortController().signal }, undoTimeoutMs)
      const failed: string[] = []
      for (const step of steps.reverse()) {
        try {
          await step.undo(ctx)
        } catch (err) {
          failed.push(step.name)
          log.error({ step: step.name, err: messageOf(err) }, 'undo step failed')
        }
      }
      steps = []
      return failed
    },
  }
}
