import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectDir } from '../harness/paths.ts'
import { mustRun } from '../harness/program.ts'

/** The programs of the test images: static, and small. */
export interface TestPrograms {
  /** `web-server PORT GREETING [PID-FILE [ANY...]]` */
  readonly webServer: Buffer
  /** Prints `Effective uid: N`. */
  readonly effectiveUid: Buffer
  /** Sleeps until SIGTERM. */
  readonly pause: Buffer
}

const flags = ['-static', '-s', '-O2', '-std=gnu17', '-Wall', '-Wextra', '-Werror'] as const

/** Compiles the programs; needs musl-gcc. */
export async function compileTestPrograms(): Promise<TestPrograms> {
  const dir = await mkdtemp(join(tmpdir(), 'lighter-programs-'))
  const compile = async (name: string): Promise<Buffer> => {
    const source = join(projectDir, 'e2e', 'critest', 'programs', `${name}.c`)
    const program = join(dir, name)
    await mustRun(['musl-gcc', ...flags, '-o', program, source])
    return readFile(program)
  }
  try {
    const [webServer, effectiveUid, pause] = await Promise.all([
      compile('web-server'),
      compile('effective-uid'),
      compile('pause'),
    ])
    return { webServer, effectiveUid, pause }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
