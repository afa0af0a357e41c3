import type { Ctx } from '#base/context'
import { messageOf, RuntimeError } from '#base/errors'
import type { AttachmentCache } from './cache.ts'
import { activePlugins, type ChainAttachment, type ChainDeps, runStep, subjectOf } from './chain.ts'
import type { ConfList, PluginConf } from './conf-list.ts'
import type { ConfWatch } from './conf-watch.ts'
import { validateAttachment } from './invoke.ts'
import { parseJsonObject } from './json.ts'
import { cniLimits } from './limits.ts'
import type { Attachment, AttachmentResult } from './network.ts'
import { findPlugin } from './plugin-path.ts'
import type { PluginVersions } from './plugin-versions.ts'
import { type AddResult, attachmentIps, parseResult } from './result.ts'

export interface AddDeps extends ChainDeps {
  readonly cache: AttachmentCache
  readonly conf: ConfWatch
  readonly versions: PluginVersions
}

/** ADD of the whole chain; see Network. What it leaves behind when it fails is for DEL. */
export function createAdd(deps: AddDeps): (ctx: Ctx, attachment: Attachment) => Promise<AttachmentResult> {
  return async (ctx, input) => {
    validateAttachment(input)
    if (deps.cache.has(input.containerId)) {
      throw new RuntimeError(
        'already-exists',
        `container ${input.containerId} is attached already: DEL comes first`,
      )
    }
    const attachment = await prepare(deps, ctx, input)
    await deps.cache.write(attachment)
    const result = await runChain(deps, ctx, attachment)
    const ips = attachmentIps(result)
    if (ips.length === 0) {
      throw new RuntimeError(
        'internal',
        `CNI conf list ${attachment.list.file} gave container ${input.containerId} no IP address: see its "ipam"`,
      )
    }
    await deps.cache.writeResult(attachment.containerId, result)
    return { ips }
  }
}

/** What can be known to fail fails here, before anything has been done. */
async function prepare(deps: AddDeps, ctx: Ctx, input: Attachment): Promise<ChainAttachment> {
  const list = currentList(deps.conf)
  await Promise.all(list.plugins.map(plugin => findPlugin(deps.binDirs, plugin.type)))
  const version = await deps.versions.negotiate(ctx, list)
  const { containerId, netnsPath, args } = input
  return { containerId, netnsPath, args, list, version, capabilities: declaredOnly(list, input.capabilities) }
}

/** What no plugin asks for (all annotations of the pod, say) is neither kept nor written to disk. */
function declaredOnly(list: ConfList, capabilities: Attachment['capabilities']): Attachment['capabilities'] {
  const declared = new Set(list.plugins.flatMap(plugin => plugin.capabilities))
  return Object.fromEntries(Object.entries(capabilities).filter(([name]) => declared.has(name)))
}

export function currentList(conf: ConfWatch): ConfList {
  const { list, problem } = conf.current()
  if (list) return list
  throw new RuntimeError('unavailable', problem)
}

async function runChain(deps: AddDeps, ctx: Ctx, attachment: ChainAttachment): Promise<AddResult> {
  let previous: AddResult | undefined
  for (const plugin of activePlugins(attachment)) {
    const stdout = await runStep(deps, ctx, { attachment, step: { command: 'ADD', plugin, previous } })
    previous = readResult(stdout, attachment.list, plugin)
  }
  return previous ?? parseResult({})
}

function readResult(stdout: string, list: ConfList, plugin: PluginConf): AddResult {
  try {
    if (stdout.length > cniLimits.resultBytes) {
      throw new RuntimeError('internal', `longer than ${cniLimits.resultBytes} characters`)
    }
    return parseResult(parseJsonObject(stdout))
  } catch (err) {
    const subject = `${subjectOf(list, plugin)}, ADD`
    throw new RuntimeError('internal', `${subject}: its result cannot be used: ${messageOf(err)}`, {
      cause: err,
    })
  }
}
