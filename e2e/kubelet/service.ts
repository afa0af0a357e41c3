import { type ChildProcess, spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { readText } from '../harness/files.ts'

/** A program that runs until it is stopped. */
export interface Service {
  readonly name: string
  isRunning(): boolean
  /** SIGTERM, SIGKILL if that does not help, and waits for the end. Succeeds if it is gone already. */
  stop(): Promise<void>
  /** All that it ever wrote. */
  log(): Promise<string>
}

const stopTimeoutMs = 10_000

/** Starts it. It dies with this process, too, even if that is killed. */
export async function startService(
  argv: readonly [string, ...string[]],
  { name, logPath }: { readonly name: string; readonly logPath: string },
): Promise<Service> {
  const log = await open(logPath, 'a')
  let child: ChildProcess | undefined
  let exited: Promise<void>
  try {
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
      stdio: ['ignore', log.fd, log.fd],
    })
    child = started
    exited = new Promise(resolve => {
      const end = (): void => {
        child = undefined
        resolve()
      }
      started.once('error', end)
      started.once('exit', end)
    })
  } finally {
    await log.close()
  }
  return {
    name,
    isRunning: () => child !== undefined,
    async stop() {
      const running = child
      running?.kill('SIGTERM')
      const timer = setTimeout(() => running?.kill('SIGKILL'), stopTimeoutMs)
      await exited
      clearTimeout(timer)
    },
    log: () => readText(logPath),
  }
}

/** Fails with the end of its log if the service does not run any more. */
export async function assertRuns(service: Service): Promise<void> {
  if (service.isRunning()) return
  const tail = (await service.log()).trimEnd().split('\n').slice(-tailLines).join('\n')
  throw new Error(`${service.name} ended:\n${tail}`)
}

const tailLines = 15
