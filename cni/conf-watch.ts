import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Clock } from '#base/clock'
import { messageOf } from '#base/errors'
import { createKeyedLock } from '#base/locks'
import type { Log } from '#base/log'
import { type ConfState, readConfDirectory } from './conf-directory.ts'
import { cniLimits } from './limits.ts'

/** The conf directory, kept in view: also before it exists, and when it is removed or replaced. */
export interface ConfWatch {
  /** Returns after the first look. A directory that cannot be watched is only read at reload(). */
  start(): Promise<void>
  stop(): Promise<void>
  /** What the last look said; the object stays the same until something changes. */
  current(): ConfState
  /** Looks again. */
  reload(): Promise<void>
}

interface ConfWatchDeps {
  readonly confDir: string
  readonly clock: Clock
  readonly log: Log
  /** Called after current() has changed. */
  readonly onChange: () => void
}

export function createConfWatch(deps: ConfWatchDeps): ConfWatch {
  const stopped = new AbortController()
  const lock = createKeyedLock()
  const eyes = createEyes({ ...deps, onEvent: noticed })
  let state: ConfState = { list: undefined, problem: 'CNI conf directory has not been read yet', skipped: [] }
  let settling: Promise<void> | undefined
  let isDirty = false

  /** One after the other, so that an older look never overwrites a newer one. */
  function reload(): Promise<void> {
    return lock.run('look', look)
  }

  async function look(): Promise<void> {
    await eyes.focus()
    const next = await readConfDirectory(deps.confDir)
    if (stopped.signal.aborted || JSON.stringify(next) === JSON.stringify(state)) return
    state = next
    report(deps.log, next)
    deps.onChange()
  }

  function noticed(): void {
    isDirty = true
    settling ??= settle().finally(() => {
      settling = undefined
    })
  }

  /** Files are often written in several steps: one look for all that happens within the debounce time. */
  async function settle(): Promise<void> {
    while (isDirty && !stopped.signal.aborted) {
      isDirty = false
      await deps.clock.sleep(cniLimits.confDebounceMs, stopped.signal).catch(() => undefined)
      await reload()
    }
  }

  return {
    start: reload,
    current: () => state,
    reload,
    async stop() {
      stopped.abort()
      await settling
      eyes.close()
    },
  }
}

function report(log: Log, { list, problem, skipped }: ConfState): void {
  for (const reason of skipped) log.warn({ reason }, 'CNI conf file skipped')
  if (list) log.info({ file: list.file, network: list.name }, 'CNI conf list loaded')
  else log.warn({ problem }, 'no CNI conf list')
}

interface Eye {
  readonly inode: string
  readonly watcher: FSWatcher
}

interface EyesDeps {
  readonly confDir: string
  readonly log: Log
  readonly onEvent: () => void
}

/** inotify watches on the directory and on the one above it, or on the nearest one that exists. */
function createEyes(deps: EyesDeps): { focus(): Promise<void>; close(): void } {
  const eyes = new Map<string, Eye>()
  let isClosed = false

  function blind(path: string): void {
    eyes.get(path)?.watcher.close()
    eyes.delete(path)
  }

  function open(target: Target, inode: string): void {
    try {
      const watcher = watch(target.path, { persistent: false }, (_, name) => {
        // Removing or moving a watched directory is reported under its own name.
        const isOwn = name === null || name === basename(target.path)
        if (isOwn || target.child === undefined || name === target.child) deps.onEvent()
      })
      watcher.on('error', err => {
        deps.log.warn({ path: target.path, err: messageOf(err) }, 'CNI conf directory is no longer watched')
        blind(target.path)
      })
      eyes.set(target.path, { inode, watcher })
    } catch (err) {
      deps.log.warn({ path: target.path, err: messageOf(err) }, 'CNI conf directory cannot be watched')
    }
  }

  return {
    async focus() {
      const targets = await targetsFor(deps.confDir)
      if (isClosed) return
      for (const path of eyes.keys()) {
        if (!targets.some(target => target.path === path)) blind(path)
      }
      for (const target of targets) {
        if (eyes.get(target.path)?.inode === target.inode) continue
        blind(target.path)
        open(target, target.inode)
      }
    },
    close() {
      isClosed = true
      for (const path of [...eyes.keys()]) blind(path)
    },
  }
}

interface Target {
  readonly path: string
  readonly inode: string
  /** The only entry of interest; undefined: all. */
  readonly child: string | undefined
}

async function targetsFor(confDir: string): Promise<readonly Target[]> {
  let child: string | undefined
  let path = confDir
  const targets: Target[] = []
  for (;;) {
    const inode = await inodeOf(path)
    if (inode !== undefined) targets.push({ path, inode, child })
    const isAboveExisting = targets.length > 0 && (child !== undefined || path === '/')
    if (isAboveExisting || path === dirname(path)) return targets
    child = basename(path)
    path = dirname(path)
  }
}

async function inodeOf(path: string): Promise<string | undefined> {
  try {
    const directory = await stat(path)
    return `${directory.dev}:${directory.ino}`
  } catch {
    return undefined
  }
}
