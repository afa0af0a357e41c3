import { statfs } from 'node:fs/promises'
import type { Ctx } from '#base/context'
import { kindOf, messageOf, RuntimeError } from '#base/errors'
import { currentList } from './add.ts'
import type { AttachmentCache } from './cache.ts'
import type { CacheEntry, LostEntry } from './cache-entry.ts'
import { activePlugins, type ChainAttachment, type ChainDeps, runStep } from './chain.ts'
import type { ConfWatch } from './conf-watch.ts'
import { validateAttachment } from './invoke.ts'
import type { Attachment } from './network.ts'
import type { PluginVersions } from './plugin-versions.ts'
import { previousForDel } from './request.ts'
import type { AddResult } from './result.ts'

export interface DelDeps extends ChainDeps {
  readonly cache: AttachmentCache
  readonly conf: ConfWatch
  readonly versions: PluginVersions
}

/** DEL of the whole chain; see Network. Without a cache entry nothing was ever added, and nothing is run. */
export function createDel(deps: DelDeps): (ctx: Ctx, attachment: Attachment) => Promise<void> {
  return async (ctx, input) => {
    validateAttachment(input)
    const entry = await deps.cache.read(input.containerId)
    if (!entry) {
      await deps.cache.forget(input.containerId)
      return
    }
    const netnsPath = await liveNamespace([input.netnsPath, entry.list ? entry.netnsPath : ''])
    const attachment = await attachmentOf(deps, ctx, { entry, input: { ...input, netnsPath } })
    const errors = await runBackwards(deps, ctx, { attachment, result: resultOf(entry) })
    const [first] = errors
    if (first !== undefined)
      throw new RuntimeError(kindOf(first), errors.map(messageOf).join('; '), { cause: first })
    await deps.cache.forget(input.containerId)
  }
}

/** The entry decides, not the caller: DEL must see what ADD saw. A lost entry leaves the current conf list. */
async function attachmentOf(
  deps: DelDeps,
  ctx: Ctx,
  given: { readonly entry: CacheEntry | LostEntry; readonly input: Attachment },
): Promise<ChainAttachment> {
  const { entry, input } = given
  if (entry.list) return { ...entry, netnsPath: input.netnsPath }
  const list = currentList(deps.conf)
  return { ...input, list, version: await deps.versions.negotiate(ctx, list) }
}

function resultOf(entry: CacheEntry | LostEntry): AddResult | undefined {
  return entry.list && previousForDel(entry.result, entry.version)
}

/** Every plugin is tried, whatever the others say: what one holds must not leak because of another. */
async function runBackwards(
  deps: DelDeps,
  ctx: Ctx,
  input: { readonly attachment: ChainAttachment; readonly result: AddResult | undefined },
): Promise<readonly unknown[]> {
  const errors: unknown[] = []
  for (const plugin of activePlugins(input.attachment).toReversed()) {
    try {
      const step = { command: 'DEL', plugin, previous: input.result } as const
      await runStep(deps, ctx, { attachment: input.attachment, step })
    } catch (err) {
      errors.push(err)
    }
  }
  return errors
}

const nsfsMagic = 0x6e736673

/**
 * The first of the paths at which a network namespace is, or "". A pin whose mount is gone is a plain file, at which
 * plugins fail; and a caller that has lost the path must not make DEL leave behind what only the namespace shows.
 */
async function liveNamespace(paths: readonly string[]): Promise<string> {
  for (const path of paths) if (await isNetworkNamespace(path)) return path
  return ''
}

async function isNetworkNamespace(path: string): Promise<boolean> {
  if (path === '') return false
  try {
    return (await statfs(path)).type === nsfsMagic
  } catch {
    return false
  }
}
