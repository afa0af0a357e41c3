import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'
import type { ResourcesSpec } from './spec/types.ts'

interface UpdateInput {
  readonly id: string
  /** Absolute. */
  readonly runtimePath: string
  readonly runtimeRoot: string
  readonly hasSystemdCgroup: boolean
  /** All limits: the OCI runtime notes what it is given as the whole. */
  readonly resources: ResourcesSpec
  readonly timeoutMs: number
}

const limits = { messageLength: 500 } as const

/**
 * Changes the control group of a running container. The device list stays as it is. Errors: `failed-precondition`
 * with the OCI runtime's, and mostly the kernel's, reason; then the former limits are in force.
 */
export async function updateContainer(ctx: Ctx, programs: Programs, input: UpdateInput): Promise<void> {
  const result = await programs.run(ctx, {
    argv: [
      input.runtimePath,
      ...['--root', input.runtimeRoot],
      ...(input.hasSystemdCgroup ? ['--systemd-cgroup'] : []),
      ...['update', '--resources', '-', input.id],
    ],
    env: [],
    stdin: JSON.stringify({ ...input.resources, devices: undefined }),
    timeoutMs: input.timeoutMs,
    mayFinish: true,
  })
  if (result.exitCode === 0) return
  const why = reasonIn(result.stderr.toString())
  throw new RuntimeError('failed-precondition', `${input.runtimePath} update failed: ${why}`)
}

/** The last line is the error; runc's logger puts time and level before it, and quotes around it. */
function reasonIn(output: string): string {
  const line = output.trim().split('\n').at(-1) ?? ''
  const quoted = /level=\w+ msg="((?:[^"\\]|\\.)*)"$/.exec(line)?.[1]
  return (quoted?.replace(/\\(["\\])/g, '$1') ?? line).slice(0, limits.messageLength)
}
