import { spawn } from 'node:child_process'
import { slowness } from './eventually.ts'

export interface ProgramOptions {
  readonly timeoutMs?: number
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface ProgramOutcome {
  /** Exit code; -1 when a signal ended it. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const programTimeoutMs = 60_000

/** Runs a program to its end and answers how it ended; after the time-out it is killed. */
export async function runProgram(
  argv: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramOutcome> {
  const [path = '', ...args] = argv
  const child = spawn(path, args, {
    cwd: options.cwd,
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, ...options.env },
    stdio: 'pipe',
    timeout: (options.timeoutMs ?? programTimeoutMs) * slowness,
    killSignal: 'SIGKILL',
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      resolve(code ?? -1)
    })
  })
  return { exitCode, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/** Runs a program that must succeed; answers its standard output. */
export async function mustRun(argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const outcome = await runProgram(argv, options)
  if (outcome.exitCode !== 0) {
    throw new Error(
      `${argv.join(' ')}: exit code ${String(outcome.exitCode)}\n${outcome.stdout}${outcome.stderr}`,
    )
  }
  return outcome.stdout
}
