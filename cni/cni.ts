import { isAbsolute } from 'node:path'
import type { Clock } from '#base/clock'
import type { Ctx } from '#base/context'
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
import { createInvoke } from './invoke.ts'
import { cniLimits } from './limits.ts'
import type { NetworkService } from './network.ts'
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
  readonly log: Log
  readonly clock: Clock
}

/** CNI over the conf list of one directory. Errors: `invalid-argument` if a path is not absolute. */
export function createNetwork(input: NetworkDeps): NetworkService {
  const relative = [input.confDir, input.cacheDir, ...input.binDirs].find(path => !isAbsolute(path))
  if (relative !== undefined) {
    throw new RuntimeError('invalid-argument', `CNI directory "${relative}" must be an absolute path`)
  }
  const invoke = createInvoke(input)
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

  return {
    async start() {
      await cache.start()
      await conf.start()
      await firstLook(status.look(), input.clock)
    },
    async stop() {
      await conf.stop()
      await status.stop()
    },
    add: (ctx, attachment) =>
      locks.run(attachment.containerId, () => gate.shared(() => add(ctx, attachment))),
    del: (ctx, attachment) =>
      locks.run(attachment.containerId, () => gate.shared(() => del(ctx, attachment))),
    check: (ctx, attachment) => locks.run(attachment.containerId, () => check(ctx, attachment)),
    gc: (ctx: Ctx, validIds) => gate.alone(() => gc(ctx, validIds)),
    isAttached: containerId => cache.has(containerId),
    attachedIds: () => cache.ids(),
    condition: () => status.condition(),
  }
}

/** Most plugins answer at once, so that the first condition is a true one; a slow one is not waited for. */
async function firstLook(look: Promise<void>, clock: Clock): Promise<void> {
  const answered = new AbortController()
  const patience = clock.sleep(cniLimits.startProbeMs, answered.signal).catch(() => undefined)
  await Promise.race([look, patience])
  answered.abort()
}
