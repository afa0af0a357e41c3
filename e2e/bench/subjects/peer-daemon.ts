import { type ChildProcess, spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { connect } from '../../harness/cri.ts'
import { eventually } from '../../harness/eventually.ts'
import { readText } from '../../harness/files.ts'
import type { Restart } from './subject.ts'
import { versionOf } from './version.ts'

/** The daemon of a peer, in a process group of its own: Ctrl-C is for the bench, which then cleans up. */
export interface PeerDaemon extends Restart {
  stop(): Promise<void>
  isRunning(): boolean
  pid(): number
}

export interface PeerDaemonInput {
  readonly argv: readonly string[]
  readonly logPath: string
  readonly socketPath: string
  /** Before PATH. */
  readonly searchPath: string
}

const startTimeoutMs = 60_000
const stopTimeoutMs = 30_000

export function createPeerDaemon({ argv, logPath, socketPath, searchPath }: PeerDaemonInput): PeerDaemon {
  let child: ChildProcess | undefined
  let exited: Promise<void> = Promise.resolve()

  const launch = async (): Promise<void> => {
    const [program = '', ...args] = argv
    const log = await open(logPath, 'a')
    try {
      const started = spawn(program, args, {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { ...process.env, PATH: `${searchPath}:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
      })
      child = started
      exited = new Promise(resolve => {
        const end = () => {
          child = undefined
          resolve()
        }
        started.once('error', end)
        started.once('exit', end)
      })
    } finally {
      await log.close()
    }
  }

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child?.kill(signal)
    const timer = setTimeout(() => child?.kill('SIGKILL'), stopTimeoutMs)
    await exited
    clearTimeout(timer)
  }

  return {
    async start() {
      await launch()
      await eventually(
        `${argv[0] ?? ''} answers`,
        async () => child === undefined || (await answers(socketPath)),
        startTimeoutMs,
      )
      if (!child) throw new Error(`${argv.join(' ')} ended: ${(await readText(logPath)).slice(-2000)}`)
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    isRunning: () => child !== undefined,
    pid() {
      if (child?.pid === undefined) throw new Error(`${argv[0] ?? ''} is not running`)
      return child.pid
    },
  }
}

/** Rejects while nobody answers. */
async function answers(socketPath: string): Promise<boolean> {
  const cri = connect(socketPath)
  try {
    await versionOf(cri)
    return true
  } finally {
    cri.close()
  }
}
