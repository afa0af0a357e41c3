import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { answers, type Daemon, usualFlags } from '../../harness/daemon.ts'
import { eventually } from '../../harness/eventually.ts'
import { readText } from '../../harness/files.ts'
import { lighterdPath, projectDir } from '../../harness/paths.ts'
import { mustRun, runProgram } from '../../harness/program.ts'
import type { Scratch } from '../../harness/scratch.ts'

const unitDir = '/run/systemd/system'
const startTimeoutMs = 30_000

/** Name of the service that is the daemon of a world. */
export function unitOf(scratch: Scratch): string {
  return `lighterd-${basename(scratch.dir)}.service`
}

/** lighterd as a service of systemd, with the unit of the project and a drop-in for the directories of the world. */
export function createSystemdDaemon(scratch: Scratch, flags: readonly string[] = []): Daemon {
  const unit = unitOf(scratch)
  const logPath = join(scratch.dir, 'lighterd.log')
  let mainPid = 0

  const launch = async (): Promise<void> => {
    await install(unit, [lighterdPath, ...usualFlags(scratch), ...flags], logPath)
    await mustRun(['systemctl', 'start', unit])
  }
  const end = async (): Promise<number> => {
    await mustRun(['systemctl', 'stop', unit])
    mainPid = 0
    const code = await property(unit, 'ExecMainStatus')
    await runProgram(['systemctl', 'reset-failed', unit])
    return Number(code)
  }
  return {
    async start() {
      await launch()
      mainPid = await runningDaemon(scratch, 0)
    },
    async startToFail() {
      await launch()
      const status = await eventually('the service gives up', async () => {
        const result = await property(unit, 'Result')
        return result === 'success' ? undefined : await property(unit, 'ExecMainStatus')
      })
      await end()
      return Number(status)
    },
    stop: end,
    async kill() {
      await runProgram(['systemctl', 'kill', '--kill-who=main', '--signal=KILL', unit])
      await end()
    },
    pid: () => mainPid,
    isRunning: () => mainPid !== 0,
    log: () => readText(logPath),
  }
}

/** Waits for a main process other than `former` that answers; its pid. */
export async function runningDaemon(scratch: Scratch, former: number): Promise<number> {
  return eventually(
    'lighterd answers as a service',
    async () => {
      const pid = Number(await property(unitOf(scratch), 'MainPID'))
      return pid !== 0 && pid !== former && (await answers(scratch.socketPath)) ? pid : undefined
    },
    startTimeoutMs,
  )
}

/** What systemd says of a unit. */
export async function property(unit: string, name: string): Promise<string> {
  return (await mustRun(['systemctl', 'show', '--value', `--property=${name}`, unit])).trim()
}

async function install(unit: string, command: readonly string[], logPath: string): Promise<void> {
  const text = await readFile(join(projectDir, 'deploy', 'systemd', 'lighterd.service'), 'utf8')
  const dropIn = join(unitDir, `${unit}.d`)
  await mkdir(dropIn, { recursive: true })
  await writeFile(join(unitDir, unit), text)
  await writeFile(
    join(dropIn, 'world.conf'),
    `[Service]
Environment=PATH=${process.env['PATH'] ?? ''}
ExecStart=
ExecStart=${command.map(word => `"${word}"`).join(' ')}
StandardOutput=append:${logPath}
StandardError=append:${logPath}
`,
  )
  await mustRun(['systemctl', 'daemon-reload'])
}

/** After the last world: systemd forgets the units. */
export async function removeUnits(): Promise<void> {
  await mustRun(['sh', '-c', `rm -rf ${unitDir}/lighterd-lt-*`])
  await mustRun(['systemctl', 'daemon-reload'])
  await rm('/run/lighter', { recursive: true, force: true })
}
