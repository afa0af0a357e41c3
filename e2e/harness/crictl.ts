import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathExists } from '#base/files'
import { crictlPath } from './paths.ts'
import { type ProgramOutcome, runProgram } from './program.ts'
import type { Scratch } from './scratch.ts'

/** The unmodified crictl, pointed at one daemon. */
export interface Crictl {
  /** Must succeed; answers standard output. */
  (...args: readonly string[]): Promise<string>
  /** May fail; answers how it ended. */
  attempt(...args: readonly string[]): Promise<ProgramOutcome>
}

/** Why crictl cannot be run here, as the reason of a skipped test; false if it can. */
export async function whyNoCrictl(): Promise<string | false> {
  return (await pathExists(crictlPath)) ? false : 'machine cannot: Go is not installed'
}

export async function createCrictl(scratch: Scratch): Promise<Crictl> {
  const configPath = join(scratch.dir, 'crictl.yaml')
  const endpoint = `unix://${scratch.socketPath}`
  await writeFile(configPath, `runtime-endpoint: ${endpoint}\nimage-endpoint: ${endpoint}\ntimeout: 30\n`)
  const attempt = (...args: readonly string[]): Promise<ProgramOutcome> =>
    runProgram([crictlPath, '--config', configPath, ...args], { env: { HOME: scratch.dir } })
  const run = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await attempt(...args)
    if (exitCode !== 0) {
      throw new Error(`crictl ${args.join(' ')}: exit code ${String(exitCode)}\n${stdout}${stderr}`)
    }
    return stdout
  }
  return Object.assign(run, { attempt })
}
