import type { Ctx } from '#base/context'
import type { ConfList, PluginConf } from './conf-list.ts'
import type { CniCommand, Invoke } from './invoke.ts'
import { findPlugin } from './plugin-path.ts'
import { hasNothingToDo, renderRequest } from './request.ts'
import type { AddResult } from './result.ts'
import type { CniVersion } from './version.ts'

/** Attachment of one container as the plugins of a list are to see it. */
export interface ChainAttachment {
  readonly containerId: string
  readonly netnsPath: string
  readonly args: Readonly<Record<string, string>>
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly list: ConfList
  readonly version: CniVersion
}

export interface ChainDeps {
  readonly binDirs: readonly string[]
  readonly invoke: Invoke
}

export interface ChainStep {
  readonly command: CniCommand
  readonly plugin: PluginConf
  readonly previous: AddResult | undefined
}

/** Plugin and conf list, the start of every message about them. */
export function subjectOf(list: ConfList, plugin: PluginConf): string {
  return `CNI plugin "${plugin.type}" of conf list ${list.file}`
}

/** The plugins of the list that have something to do for this attachment, in the order of the list. */
export function activePlugins(attachment: ChainAttachment): readonly PluginConf[] {
  return attachment.list.plugins.filter(plugin => !hasNothingToDo(plugin, attachment))
}

/** Runs one plugin of the attachment's list and answers its stdout. Errors: those of Invoke and of findPlugin. */
export async function runStep(
  deps: ChainDeps,
  ctx: Ctx,
  input: { readonly attachment: ChainAttachment; readonly step: ChainStep },
): Promise<string> {
  const { attachment, step } = input
  const { path } = await findPlugin(deps.binDirs, step.plugin.type)
  const { list, version, capabilities } = attachment
  return await deps.invoke(ctx, {
    path,
    subject: subjectOf(list, step.plugin),
    command: step.command,
    stdin: renderRequest({ list, version, capabilities, plugin: step.plugin, previous: step.previous }),
    attachment,
  })
}
