import { type ChildProcess, spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createCriClient } from '../../cri/grpc/client.ts'
import { runtimeMethods } from '../../cri/grpc/methods.ts'
import { eventually, slowness } from './eventually.ts'
import { readText } from './files.ts'
import { cniBinDirs, lighterdPath } from './paths.ts'
import type { Scratch } from './scratch.ts'

/** A real lighterd in the foreground, with directories of its own. */
export interface Daemon {
  /** Starts it and waits until it answers (recovery included). */
  start(): Promise<void>
  /** Starts it and waits until it gives up by itself; answers the exit code. */
  startToFail(): Promise<number>
  /** SIGTERM, and waits for the end. */
  stop(): Promise<number>
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>
  pid(): number
  isRunning(): boolean
  /** All that it ever wrote. */
  log(): Promise<string>
}

const startTimeoutMs = 30_000
const stopTimeoutMs = 30_000
const pingTimeoutMs = 2_000

/** `flags` come after the usual ones, and so override them. */
export function createDaemon(scratch: Scratch, flags: readonly string[] = []): Daemon {
  const logPath = join(scratch.dir, 'lighterd.log')
  let child: ChildProcess | undefined
  let exited: Promise<number> = Promise.resolve(0)

  const launch = async (): Promise<void> => {
    if (child) throw new Error('the daemon is running already')
    const log = await open(logPath, 'a')
    try {
      const started = spawn(lighterdPath, [...usualFlags(scratch), ...flags], {
        env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
        stdio: ['ignore', log.fd, log.fd],
      })
      child = started
      exited = new Promise(resolve => {
        started.once('error', () => {
          resolve(-1)
        })
        started.once('exit', code => {
          child = undefined
          resolve(code ?? -1)
        })
      })
    } finally {
      await log.close()
    }
  }

  const end = async (signal: NodeJS.Signals): Promise<number> => {
    const running = child
    if (!running) return exited
    running.kill(signal)
    const timer = setTimeout(() => running.kill('SIGKILL'), stopTimeoutMs * slowness)
    const code = await exited
    clearTimeout(timer)
    return code
  }

  return {
    async start() {
      await launch()
      await eventually(
        'lighterd answers',
        async () => {
          if (!child) throw new Error(`lighterd ended: ${(await readText(logPath)).slice(-2000)}`)
          return answers(scratch.socketPath)
        },
        startTimeoutMs,
      )
    },
    async startToFail() {
      await launch()
      const timer = setTimeout(() => child?.kill('SIGKILL'), startTimeoutMs * slowness)
      const code = await exited
      clearTimeout(timer)
      return code
    },
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL')
    },
    pid() {
      if (child?.pid === undefined) throw new Error('the daemon is not running')
      return child.pid
    },
    isRunning: () => child !== undefined,
    log: () => readText(logPath),
  }
}

/** Directories and socket of a world. */
export function usualFlags(scratch: Scratch): readonly string[] {
  return [
    ...['--root', scratch.rootDir],
    ...['--state', scratch.stateDir],
    ...['--listen', `unix://${scratch.socketPath}`],
    ...['--cni-conf-dir', scratch.cniConfDir],
    ...['--cni-bin-dir', cniBinDirs.join(',')],
    ...['--certs-dir', scratch.certsDir],
  ]
}

export async function answers(socketPath: string): Promise<boolean> {
  const client = createCriClient(socketPath)
  try {
    await client.call(runtimeMethods.Version, {}, { timeoutMs: pingTimeoutMs * slowness })
    return true
  } finally {
    client.close()
  }
}
