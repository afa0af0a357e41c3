import { setTimeout as delay } from 'node:timers/promises'
import { type Ctx, orAborted } from '#base/context'
import { messageOf, RuntimeError, withContext } from '#base/errors'
import type { Log } from '#base/log'
import { hostError } from './host-errors.ts'
import { type HostSession, startHostSession } from './host-session.ts'
import { frameTypes, tags } from './protocol.ts'

/** Limits of keeping the host alive. */
export const supervisorLimits = {
  /** Before the second start in a row; doubles up to the last. */
  firstPauseMs: 50,
  lastPauseMs: 5_000,
  /** A host that lived this long starts the pauses anew. */
  stableMs: 30_000,
  /** A call made while the host is being started again waits this long. */
  restartWaitMs: 10_000,
  /** For a lock to be taken again; a host that died lets go of it at once. */
  relockWaitMs: 10_000,
  /** How much later than its time-out a lock may be answered. */
  lockSlackMs: 5_000,
} as const

export interface HostSupervisorDeps {
  readonly programPath: string
  readonly log: Log
}

/** Keeps one host process alive: starts it again when it dies, with its locks. */
export interface HostSupervisor {
  start(): Promise<void>
  stop(): Promise<void>
  /** The living host; waits while it is being started again. Errors: `unavailable`; ctx aborted. */
  session(ctx: Ctx): Promise<HostSession>
  /** Takes a lock, now and in every later host. Errors: `failed-precondition` if somebody else holds it. */
  lock(path: string, waitMs: number): Promise<void>
}

interface Waiter {
  readonly resolve: (session: HostSession) => void
  readonly reject: (err: RuntimeError) => void
}

export function createHostSupervisor(deps: HostSupervisorDeps): HostSupervisor {
  const lockPaths = new Set<string>()
  const waiters = new Set<Waiter>()
  const stopping = new AbortController()
  let current: HostSession | undefined
  let supervising: Promise<void> | undefined

  const publish = (session: HostSession) => {
    current = session
    for (const waiter of waiters) waiter.resolve(session)
    waiters.clear()
  }
  const open = async () => {
    const session = await startHostSession(deps.programPath, deps.log)
    try {
      for (const path of lockPaths) await takeLock(session, path, supervisorLimits.relockWaitMs)
    } catch (err) {
      await session.close()
      throw err
    }
    return session
  }
  const supervise = async (first: HostSession) => {
    let pauseMs: number = supervisorLimits.firstPauseMs
    let session: HostSession | undefined = first
    while (!stopping.signal.aborted) {
      const startedAt = performance.now()
      await session?.ended
      current = undefined
      if (stopping.signal.aborted) break
      if (session) deps.log.error({}, 'lighter-host ended; starting it again')
      if (session && performance.now() - startedAt > supervisorLimits.stableMs) {
        pauseMs = supervisorLimits.firstPauseMs
      }
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      pauseMs = Math.min(pauseMs * 2, supervisorLimits.lastPauseMs)
      session = stopping.signal.aborted ? undefined : await openOrLog(open, deps.log)
      if (session) publish(session)
    }
    await session?.close()
  }
  return {
    async start() {
      if (supervising) throw new RuntimeError('failed-precondition', 'lighter-host is already started')
      const session = await open()
      publish(session)
      supervising = supervise(session)
    },
    async stop() {
      stopping.abort()
      const gone = new RuntimeError('unavailable', 'lighter-host is stopped')
      for (const waiter of waiters) waiter.reject(gone)
      waiters.clear()
      await current?.close()
      await supervising
    },
    async session(ctx) {
      if (current) return current
      if (!supervising || stopping.signal.aborted) {
        throw new RuntimeError('unavailable', 'lighter-host is not started')
      }
      return orAborted(ctx, nextSession(waiters))
    },
    async lock(path, waitMs) {
      if (!current) throw new RuntimeError('unavailable', `cannot lock ${path}: lighter-host is not running`)
      if (lockPaths.has(path)) return
      await takeLock(current, path, waitMs)
      lockPaths.add(path)
    },
  }
}

async function openOrLog(open: () => Promise<HostSession>, log: Log): Promise<HostSession | undefined> {
  try {
    return await open()
  } catch (err) {
    log.error({ err: messageOf(err) }, 'cannot start lighter-host again')
    return undefined
  }
}

async function nextSession(waiters: Set<Waiter>): Promise<HostSession> {
  let waiter: Waiter | undefined
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<HostSession>((resolve, reject) => {
      waiter = { resolve, reject }
      waiters.add(waiter)
      timer = setTimeout(() => {
        reject(new RuntimeError('unavailable', 'lighter-host does not come back; its log says why'))
      }, supervisorLimits.restartWaitMs)
    })
  } finally {
    clearTimeout(timer)
    if (waiter) waiters.delete(waiter)
  }
}

async function takeLock(session: HostSession, path: string, waitMs: number): Promise<void> {
  const answer = await session.call({
    type: frameTypes.lock,
    fields: [
      [tags.path, path],
      [tags.timeoutMs, waitMs],
    ],
    what: `the lock on ${path}`,
    timeoutMs: waitMs + supervisorLimits.lockSlackMs,
  })
  if (answer.type === frameTypes.ok) return
  throw withContext('is another daemon running', hostError(answer, { EAGAIN: 'failed-precondition' }))
}
