import { join } from 'node:path'
import { pathExists } from '#base/files'
import { projectDir } from './paths.ts'
import { runProgram } from './program.ts'

/** What scripts/setup-criu.sh makes: a CRIU that works with newer kernels than the system's. */
export const criuPath = join(projectDir, '.cache', 'criu', 'bin', 'criu')

/** For lighterd's configuration file. */
export const criuConfig = `checkpoint: {criuPath: ${criuPath}}\n`

/** Why nothing can be checkpointed here, as the reason of a skipped test; false if it can. */
export async function whyNoCriu(): Promise<string | false> {
  if (!(await pathExists(criuPath))) return 'machine cannot: scripts/setup-criu.sh could not fetch CRIU'
  const { exitCode, stderr } = await runProgram([criuPath, 'check'])
  return exitCode === 0 ? false : `machine cannot: criu check: ${stderr.trim().split('\n').at(-1) ?? ''}`
}
