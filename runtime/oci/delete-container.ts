import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'

interface DeleteInput {
  readonly id: string
  /** Absolute. */
  readonly runtimePath: string
  readonly runtimeRoot: string
  readonly timeoutMs: number
}

/**
 * Kills what is left of a container and removes its cgroup and the OCI runtime's own state; absent is fine. For
 * recovery: as long as a container has a shim, the shim does this.
 */
export async function deleteContainer(ctx: Ctx, programs: Programs, input: DeleteInput): Promise<void> {
  const result = await programs.run(ctx, {
    argv: [input.runtimePath, '--root', input.runtimeRoot, 'delete', '--force', input.id],
    env: [],
    timeoutMs: input.timeoutMs,
  })
  if (result.exitCode === 0) return
  const text = result.stderr.toString().trim().slice(-500)
  throw new RuntimeError('internal', `${input.runtimePath} cannot delete container ${input.id}: ${text}`)
}
