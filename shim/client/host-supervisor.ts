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

export function createHostSupervisor(deps: HostSupervisorDeps): HostSupervisor {
  const lockPaths = new Set<string>()
  const slot = createSessionSlot()
  const stopping = new AbortController()
  let supervising: Promise<void> | undefined

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
  return {
    async start() {
      if (supervising) throw new RuntimeError('failed-precondition', 'lighter-host is already started')
      const first = await open()
      slot.fill(first)
      supervising = supervise({ first, slot, open, log: deps.log, stopping: stopping.signal })
    },
    async stop() {
      stopping.abort()
      slot.refuse(new RuntimeError('unavailable', 'lighter-host is stopped'))
      await slot.current()?.close()
      await supervising
    },
    async session(ctx) {
      const session = slot.current()
      if (session) return session
      if (!supervising || stopping.signal.aborted) {
        throw new RuntimeError('unavailable', 'lighter-host is not started')
      }
      return orAborted(ctx, slot.next())
    },
    async lock(path, waitMs) {
      const session = slot.current()
      if (!session) throw new RuntimeError('unavailable', `cannot lock ${path}: lighter-host is not running`)
      if (lockPaths.has(path)) return
      await takeLock(session, path, waitMs)
      lockPaths.add(path)
    },
  }
}

interface Supervision {
  readonly first: HostSession
  readonly slot: SessionSlot
  readonly open: () => Promise<HostSession>
  readonly log: Log
  readonly stopping: AbortSignal
}

/** Starts a host whenever there is none; settles after `stopping`, when the last one is gone. */
async function supervise(supervision: Supervision): Promise<void> {
  const { slot, open, log, stopping } = supervision
  let pauseMs: number = supervisorLimits.firstPauseMs
  let session: HostSession | undefined = supervision.first
  for (;;) {
    const startedAt = performance.now()
    await session?.ended
    slot.empty()
    if (stopping.aborted) return
    if (session) log.error({}, 'lighter-host ended; starting it again')
    const wasStable = session && performance.now() - startedAt > supervisorLimits.stableMs
    if (wasStable) pauseMs = supervisorLimits.firstPauseMs
    await delay(pauseMs, undefined, { signal: stopping }).catch(() => undefined)
    pauseMs = Math.min(pauseMs * 2, supervisorLimits.lastPauseMs)
    session = isAborted(stopping) ? undefined : await openOrLog(open, log)
    if (session && isAborted(stopping)) await session.close()
    else if (session) slot.fill(session)
  }
}

/** Asked again after a pause: the compiler takes the first answer for the last. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}

/** Where the living host is found, or waited for. */
interface SessionSlot {
  current(): HostSession | undefined
  fill(session: HostSession): void
  empty(): void
  /** The next host. Errors: `unavailable` if it does not come in time, or what refuse() was given. */
  next(): Promise<HostSession>
  refuse(err: RuntimeError): void
}

interface Waiter {
  readonly resolve: (session: HostSession) => void
  readonly reject: (err: RuntimeError) => void
}

function createSessionSlot(): SessionSlot {
  const waiters = new Set<Waiter>()
  let current: HostSession | undefined
  return {
    current: () => (current?.isOpen() ? current : undefined),
    fill(session) {
      current = session
      for (const waiter of waiters) waiter.resolve(session)
      waiters.clear()
    },
    empty() {
      current = undefined
    },
    async next() {
      let timer: NodeJS.Timeout | undefined
      try {
        return await new Promise<HostSession>((resolve, reject) => {
          const waiter = { resolve, reject }
          waiters.add(waiter)
          timer = setTimeout(() => {
            waiters.delete(waiter)
            reject(new RuntimeError('unavailable', 'lighter-host does not come back; the log says why'))
          }, supervisorLimits.restartWaitMs)
        })
      } finally {
        clearTimeout(timer)
      }
    },
    refuse(err) {
      for (const waiter of waiters) waiter.reject(err)
      waiters.clear()
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
