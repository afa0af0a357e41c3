import { type ChildProcess, spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf, RuntimeError } from '#base/errors'
import { readFileIfExists } from '#base/files'
import { createCriClient } from '../../cri/grpc/client.ts'
import { runtimeMethods } from '../../cri/grpc/methods.ts'

export interface DemoDaemonOptions {
  readonly rootDir: string
  readonly stateDir: string
  readonly certsDir: string
  /** undefined: the daemon's own. */
  readonly cniConfDir: string | undefined
  readonly logPath: string
}

/** A lighterd in the foreground of nobody: it hears no Ctrl-C, so that its pods can be removed first. */
export interface DemoDaemon {
  readonly socketPath: string
  readonly logPath: string
  /** Rejects when the daemon ends before stop() was called; never resolves. */
  ended(): Promise<never>
  /** Succeeds if it is gone already. */
  stop(): Promise<void>
}

const limits = {
  startMs: 30_000,
  pollMs: 50,
  callMs: 2_000,
  stopMs: 30_000,
  logBytes: 16 * 1024 * 1024,
} as const
const shownLines = 5

/** Errors: `failed-precondition` if a daemon uses this directory. */
export async function refuseSecondDaemon(stateDir: string): Promise<void> {
  const socketPath = socketPathIn(stateDir)
  if (await answers(socketPath)) {
    throw new RuntimeError('failed-precondition', `a daemon answers on ${socketPath} already: stop it first`)
  }
}

/** Resolves once the daemon has recovered and answers. */
export async function startDaemon(options: DemoDaemonOptions): Promise<DemoDaemon> {
  const socketPath = socketPathIn(options.stateDir)
  const child = await launch(options, socketPath)
  const gone = new AbortController()
  const exit = exitOf(child).finally(() => {
    gone.abort()
  })
  const ended = exit.then(async code => {
    throw new RuntimeError('unavailable', `lighterd ended with ${code}${await lastLines(options.logPath)}`)
  })
  // Nobody may be listening when it ends.
  ended.catch(() => undefined)
  const stop = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), limits.stopMs)
    child.kill('SIGTERM')
    await exit
    clearTimeout(timer)
  }
  try {
    await Promise.race([waitUntilReady(socketPath, gone.signal), ended])
    if (gone.signal.aborted) await ended
  } catch (err) {
    await stop()
    throw err
  }
  return { socketPath, logPath: options.logPath, ended: () => ended, stop }
}

function socketPathIn(stateDir: string): string {
  return join(stateDir, 'lighter.sock')
}

async function launch(options: DemoDaemonOptions, socketPath: string): Promise<ChildProcess> {
  const program = join(import.meta.dirname, '..', '..', '..', 'bin', 'lighterd')
  const flags = ['--root', options.rootDir, '--state', options.stateDir, '--listen', `unix://${socketPath}`]
  flags.push('--certs-dir', options.certsDir)
  if (options.cniConfDir !== undefined) flags.push('--cni-conf-dir', options.cniConfDir)
  const log = await open(options.logPath, 'w')
  try {
    return spawn(program, flags, { detached: true, stdio: ['ignore', log.fd, log.fd] })
  } finally {
    await log.close()
  }
}

/** Its exit code or signal, or why it could not be started. */
async function exitOf(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    child.once('error', err => {
      resolve(messageOf(err))
    })
    child.once('exit', (code, signal) => {
      resolve(signal ?? `exit code ${String(code)}`)
    })
  })
}

/** Also resolves when the daemon is gone: then it is not for us to say how it went. */
async function waitUntilReady(socketPath: string, gone: AbortSignal): Promise<void> {
  const deadline = performance.now() + limits.startMs
  while (!gone.aborted && !(await answers(socketPath))) {
    if (performance.now() > deadline) {
      throw new RuntimeError('deadline-exceeded', `lighterd does not answer on ${socketPath}`)
    }
    await delay(limits.pollMs)
  }
}

async function answers(socketPath: string): Promise<boolean> {
  const client = createCriClient(socketPath)
  try {
    await client.call(runtimeMethods.Version, {}, { timeoutMs: limits.callMs })
    return true
  } catch {
    return false
  } finally {
    client.close()
  }
}

async function lastLines(logPath: string): Promise<string> {
  const text = (await readFileIfExists(logPath, limits.logBytes))?.toString('utf8').trim() ?? ''
  return text === '' ? '' : `:\n${text.split('\n').slice(-shownLines).join('\n')}`
}
