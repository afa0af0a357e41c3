import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { AttachmentCache } from './cache.ts'
import { activePlugins, type ChainDeps, runStep } from './chain.ts'
import { validateAttachment } from './invoke.ts'
import type { Attachment } from './network.ts'
import { isAtLeast } from './version.ts'

export interface CheckDeps extends ChainDeps {
  readonly cache: AttachmentCache
}

/**
 * CHECK of the chain with what ADD saw; the first plugin that finds something wrong ends it. Succeeds without
 * running anything where the list disables it or is older than 0.4.0. Errors: `not-found` if ADD has not succeeded.
 */
export function createCheck(deps: CheckDeps): (ctx: Ctx, attachment: Attachment) => Promise<void> {
  return async (ctx, input) => {
    validateAttachment(input)
    const entry = await deps.cache.read(input.containerId)
    if (!entry?.list || !entry.result) {
      throw new RuntimeError('not-found', `container ${input.containerId} is not attached to a network`)
    }
    if (entry.list.isCheckDisabled || !isAtLeast(entry.version, '0.4.0')) return
    const attachment = { ...entry, netnsPath: input.netnsPath }
    for (const plugin of activePlugins(attachment)) {
      const step = { command: 'CHECK', plugin, previous: entry.result } as const
      await runStep(deps, ctx, { attachment, step })
    }
  }
}
