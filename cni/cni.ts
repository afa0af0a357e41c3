import { isAbsolute } from 'node:path'
import type { Clock } from '#base/clock'
import { type Ctx, orAborted, throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import { createKeyedLock } from '#base/locks'
import type { Log } from '#base/log'
import type { Programs } from '#base/programs'
import { createAdd } from './add.ts'
import { createAttachmentCache } from './cache.ts'
import { createCheck } from './check.ts'
import { createConfWatch } from './conf-watch.ts'
import { createDel } from './del.ts'
import { createGate } from './gate.ts'
import { createGc } from './gc.ts'
import { createInvoke, observedInvoke } from './invoke.ts'
import { cniLimits } from './limits.ts'
import type { NetworkService, PluginRun } from './network.ts'
import { createPluginVersions } from './plugin-versions.ts'
import { createStatus } from './status.ts'

export interface NetworkDeps {
  /** Directory of the conf lists; may not exist yet. */
  readonly confDir: string
  /** Absolute; searched in order. */
  readonly binDirs: readonly string[]
  /** Directory of lighter's own records of attachments; made if absent. */
  readonly cacheDir: string
  readonly programs: Programs
  readonly pluginTimeoutMs: number
  /** Hears of every run of a plugin; returns at once and never throws. */
  readonly onPluginRan?: (run: PluginRun) => void
  readonly log: Log
  readonly clock: Clock
}

/** CNI over the conf list of one directory. Errors: `invalid-argument` if a path is not absolute. */
export function createNetwork(input: NetworkDeps): NetworkService {
  const relative = [input.confDir, input.cacheDir, ...input.binDirs].find(path => !isAbsolute(path))
  if (relative !== undefined) {
    throw new RuntimeError('invalid-argument', `CNI directory "${relative}" must be an absolute path`)
  }
  const invoke = observedInvoke(createInvoke(input), input.onPluginRan)
  const conf = createConfWatch({ ...input, onChange: () => void status.look() })
  const cache = createAttachmentCache(input)
  const versions = createPluginVersions({ ...input, invoke })
  const status = createStatus({ ...input, invoke, conf, versions })
  const deps = { ...input, invoke, conf, cache, versions }
  const add = createAdd(deps)
  const del = createDel(deps)
  const check = createCheck(deps)
  const gc = createGc({ ...deps, del })
  const gate = createGate()
  const locks = createKeyedLock()

  /** The caller may leave at its deadline; the work keeps the container's lock until its plugin is done. */
  async function inTurn<T>(ctx: Ctx, containerId: string, work: () => Promise<T>): Promise<T> {
    throwIfAborted(ctx)
    return await orAborted(ctx, locks.run(containerId, work))
  }

  return {
    async start() {
      await cache.start()
      await conf.start()
      await within(status.look(), input.clock, cniLimits.startProbeMs)
    },
    async stop() {
      await conf.stop()
      await status.stop()
      await within(gate.alone(done), input.clock, cniLimits.stopGraceMs)
    },
    add: (ctx, attachment) =>
      inTurn(ctx, attachment.containerId, () => gate.shared(() => add(ctx, attachment))),
    del: (ctx, attachment) =>
      inTurn(ctx, attachment.containerId, () => gate.shared(() => del(ctx, attachment))),
    check: (ctx, attachment) => inTurn(ctx, attachment.containerId, () => check(ctx, attachment)),
    gc: (ctx, validIds) => gate.alone(() => gc(ctx, validIds)),
    isAttached: containerId => cache.has(containerId),
    attachedIds: () => cache.ids(),
    condition: () => status.condition(),
  }
}

function done(): Promise<void> {
  return Promise.resolve()
}

/** Waits for what usually is done at once, but not for long; it goes on. */
async function within(work: Promise<void>, clock: Clock, ms: number): Promise<void> {
  const isDone = new AbortController()
  const patience = clock.sleep(ms, isDone.signal).catch(() => undefined)
  await Promise.race([work, patience])
  isDone.abort()
}
