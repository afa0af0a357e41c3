import { RuntimeError } from '#base/errors'
import { writeFileAtomic } from '#base/files'
import { readBundle } from './bundle.ts'
import type { ProcessSpec, Spec } from './spec/types.ts'

interface ExecProcess {
  readonly command: readonly string[]
  readonly hasTty: boolean
}

/**
 * Writes the process.json of a command to run inside of a container; the caller removes it. User, capabilities,
 * environment and directory are those of the container's first process.
 */
export async function writeExecProcess(
  input: ExecProcess & { readonly bundlePath: string; readonly path: string },
): Promise<void> {
  const spec = await readBundle(input.bundlePath)
  const text = JSON.stringify(execProcess(spec, input))
  await writeFileAtomic(input.path, text, { mode: 0o600, durability: 'process death' })
}

/** Errors: `invalid-argument` without a command. */
export function execProcess(spec: Spec, exec: ExecProcess): ProcessSpec {
  if (exec.command.length === 0) throw new RuntimeError('invalid-argument', 'exec: the command is empty')
  if (exec.command.some(word => word.includes('\0'))) {
    throw new RuntimeError('invalid-argument', 'exec: the command contains a NUL character')
  }
  const { env } = spec.process
  const needsTerm = exec.hasTty && !env.some(entry => entry.startsWith('TERM='))
  return {
    ...spec.process,
    terminal: exec.hasTty,
    args: exec.command,
    env: needsTerm ? [...env, 'TERM=xterm'] : env,
  }
}
