import type { Ctx } from '#base/context'
import { kindOf, messageOf, RuntimeError } from '#base/errors'
import type { AttachmentCache } from './cache.ts'
import { type ChainDeps, subjectOf } from './chain.ts'
import type { ConfList } from './conf-list.ts'
import type { ConfWatch } from './conf-watch.ts'
import { interfaceName } from './invoke.ts'
import type { Attachment } from './network.ts'
import { findPlugin } from './plugin-path.ts'
import type { PluginVersions } from './plugin-versions.ts'
import { renderRequest } from './request.ts'
import { isAtLeast } from './version.ts'

export interface GcDeps extends ChainDeps {
  readonly cache: AttachmentCache
  readonly conf: ConfWatch
  readonly versions: PluginVersions
  readonly del: (ctx: Ctx, attachment: Attachment) => Promise<void>
}

/**
 * DEL for every attachment whose id is not among the valid ones, whatever the plugins speak; then GC of the current
 * conf list, if it speaks 1.1 and does not disable it. All of it is tried. Errors: one with all messages; what
 * failed keeps its cache entry for the next time.
 */
export function createGc(deps: GcDeps): (ctx: Ctx, validIds: ReadonlySet<string>) => Promise<void> {
  return async (ctx, validIds) => {
    const errors: unknown[] = []
    for (const containerId of deps.cache.ids()) {
      if (validIds.has(containerId)) continue
      ctx.log.info({ containerId }, 'CNI attachment that nobody owns is deleted')
      await collect(errors, async () => deps.del(ctx, await leftBehind(deps.cache, containerId)))
    }
    const { list } = deps.conf.current()
    if (list && !list.isGcDisabled) await collectList(deps, ctx, { list, validIds, errors })
    const [first] = errors
    if (first !== undefined)
      throw new RuntimeError(kindOf(first), errors.map(messageOf).join('; '), { cause: first })
  }
}

async function collect(errors: unknown[], work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (err) {
    errors.push(err)
  }
}

async function leftBehind(cache: AttachmentCache, containerId: string): Promise<Attachment> {
  const entry = await cache.read(containerId)
  return entry?.list ? entry : { containerId, netnsPath: '', args: {}, capabilities: {} }
}

async function collectList(
  deps: GcDeps,
  ctx: Ctx,
  input: { readonly list: ConfList; readonly validIds: ReadonlySet<string>; readonly errors: unknown[] },
): Promise<void> {
  const { list, validIds, errors } = input
  await collect(errors, async () => {
    const version = await deps.versions.negotiate(ctx, list)
    if (!isAtLeast(version, '1.1.0')) return
    // Attachments that are still cached after a failed DEL are left to the next DEL.
    const ids = new Set([...validIds, ...deps.cache.ids()])
    const validAttachments = [...ids].map(containerID => ({ containerID, ifname: interfaceName }))
    for (const plugin of list.plugins) {
      await collect(errors, async () => {
        const { path } = await findPlugin(deps.binDirs, plugin.type)
        const stdin = renderRequest({ list, plugin, version, validAttachments })
        await deps.invoke(ctx, { path, subject: subjectOf(list, plugin), command: 'GC', stdin })
      })
    }
  })
}
