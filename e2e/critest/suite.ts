import { spawn } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathExists } from '#base/files'
import { cacheBinDir } from '../harness/paths.ts'
import { parseReport, type SpecOutcome } from './report.ts'

/** critest of the pinned release, unless CRITEST names another one. */
export const critestPath = process.env['CRITEST'] ?? join(cacheBinDir, 'critest')

export interface SuiteOptions {
  readonly socketPath: string
  /** Default: critestPath. */
  readonly suitePath?: string
  /** For its temporary files, its log (`critest.log`) and its report; must exist. */
  readonly workDir: string
  /** Regular expressions over the names of specs; default: all. */
  readonly focus?: string | undefined
  readonly skip?: readonly string[]
  /** Specs at once; more than 1 needs the program ginkgo. Default: 1. */
  readonly parallel?: number
  /** WebSocket instead of SPDY for exec, attach and port-forward. */
  readonly isWebSocket?: boolean
  /** Path of the socket for NRI plugins; without it those specs skip themselves. */
  readonly nriSocketPath?: string | undefined
}

const suiteTimeoutMs = 30 * 60_000

/** Why the suite cannot be run here, as the reason of a skipped test; false if it can. */
export async function whyNoCritest(): Promise<string | false> {
  return (await pathExists(critestPath)) ? false : 'machine cannot: Go is not installed'
}

/** Runs the unmodified upstream suite against a socket. A suite that does not come to its end is an error. */
export async function runSuite(options: SuiteOptions): Promise<readonly SpecOutcome[]> {
  const { workDir } = options
  const temporary = join(workDir, 'tmp')
  const reportPath = join(workDir, 'report.json')
  await mkdir(temporary, { recursive: true })
  const suitePath = options.suitePath ?? critestPath
  const exitCode = await run([suitePath, ...suiteFlags(options), `-ginkgo.json-report=${reportPath}`], {
    logPath: join(workDir, 'critest.log'),
    temporary,
  })
  if (!(await pathExists(reportPath))) {
    const log = await readFile(join(workDir, 'critest.log'), 'utf8')
    throw new Error(`critest ended with ${String(exitCode)} and without a report:\n${log.slice(-2000)}`)
  }
  const outcomes = parseReport(await readFile(reportPath, 'utf8'))
  if (exitCode !== 0 && !outcomes.some(outcome => outcome.state === 'failed')) {
    const log = await readFile(join(workDir, 'critest.log'), 'utf8')
    throw new Error(`critest ended with ${String(exitCode)} though no spec failed:\n${log.slice(-2000)}`)
  }
  return outcomes
}

function suiteFlags(options: SuiteOptions): readonly string[] {
  const endpoint = `unix://${options.socketPath}`
  return [
    `-runtime-endpoint=${endpoint}`,
    `-image-endpoint=${endpoint}`,
    '-config=/dev/null',
    '-ginkgo.no-color',
    ...(options.focus === undefined ? [] : [`-ginkgo.focus=${options.focus}`]),
    ...(options.skip ?? []).map(pattern => `-ginkgo.skip=${pattern}`),
    ...((options.parallel ?? 1) > 1 ? [`-parallel=${String(options.parallel)}`] : []),
    ...(options.isWebSocket ? ['-websocket-exec', '-websocket-attach', '-websocket-portforward'] : []),
    ...(options.nriSocketPath === undefined ? [] : [`-nri-socket=${options.nriSocketPath}`]),
  ]
}

/** Its exit code; -1 when a signal ended it. Temporary directories of the suite that it forgets are below ours. */
async function run(
  [program = '', ...flags]: readonly string[],
  { logPath, temporary }: { readonly logPath: string; readonly temporary: string },
): Promise<number> {
  const log = await open(logPath, 'a')
  try {
    const child = spawn(program, flags, {
      env: {
        ...process.env,
        TMPDIR: temporary,
        PATH: `${cacheBinDir}:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
      },
      stdio: ['ignore', log.fd, log.fd],
      timeout: suiteTimeoutMs,
      killSignal: 'SIGKILL',
    })
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', code => {
        resolve(code ?? -1)
      })
    })
  } finally {
    await log.close()
  }
}
