import { join } from 'node:path'
import { projectDir } from '../harness/paths.ts'
import { mustRun } from '../harness/program.ts'

const flags = ['-static', '-s', '-O2', '-std=gnu17', '-Wall', '-Wextra', '-Werror'] as const

/** Compiles the OCI runtime that starts nothing into a directory; answers its path. Needs musl-gcc. */
export async function compileFakeRuntime(dir: string): Promise<string> {
  const source = join(projectDir, 'e2e', 'bench', 'fake-runtime', 'fake-runtime.c')
  const program = join(dir, 'fake-runtime')
  await mustRun(['musl-gcc', ...flags, '-o', program, source])
  return program
}
