import { basename } from 'node:path'
import { type Ctx, throwIfAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import { type ProgramResult, type Programs, programLimits } from '#base/programs'
import { timed } from '#base/timed'
import { printable } from './json.ts'
import { cniLimits } from './limits.ts'
import type { PluginRun } from './network.ts'
import { pluginError } from './plugin-error.ts'

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'VERSION' | 'GC'

/** Interface that lighter makes in every namespace. */
export const interfaceName = 'eth0'

/** Plugins call iptables, nft, ip and sysctl by name. */
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface Invocation {
  /** Absolute path of the binary. */
  readonly path: string
  /** Plugin and conf list, for messages. */
  readonly subject: string
  readonly command: CniCommand
  /** Request configuration, goes to stdin. */
  readonly stdin: string
  /** Absent for STATUS, VERSION and GC. */
  readonly attachment?: InvocationAttachment
}

export interface InvocationAttachment {
  readonly containerId: string
  readonly netnsPath: string
  readonly args: Readonly<Record<string, string>>
}

export interface InvokeDeps {
  readonly binDirs: readonly string[]
  readonly programs: Programs
  readonly pluginTimeoutMs: number
}

/**
 * Runs one plugin once and answers its stdout. A plugin that changes something runs to its end or to its time-out,
 * also when `ctx` is aborted: bridge killed in the middle of DEL leaves masquerade rules that no later DEL finds.
 * Errors: the plugin's own message, `deadline-exceeded`; `cancelled` for STATUS and VERSION only.
 */
export type Invoke = (ctx: Ctx, invocation: Invocation) => Promise<string>

export function createInvoke(deps: InvokeDeps): Invoke {
  return async (ctx, invocation) => {
    const subject = `${invocation.subject}, ${invocation.command}`
    throwIfAborted(ctx)
    const signal = isReadOnly(invocation.command) ? ctx.signal : new AbortController().signal
    const ended = await runPlugin(deps, { ...ctx, signal }, invocation).catch((err: unknown) => {
      throw withContext(subject, err)
    })
    if (ended.exitCode !== 0) throw pluginError(subject, ended)
    if (ended.stdout.length >= programLimits.outputBytes) {
      throw new RuntimeError('internal', `${subject}: it printed ${programLimits.outputBytes} bytes or more`)
    }
    if (ended.stderr.length > 0) {
      ctx.log.debug(
        { plugin: invocation.path, stderr: printable(ended.stderr.toString()) },
        'CNI plugin wrote',
      )
    }
    return ended.stdout.toString()
  }
}

/** The same, and the listener hears of each run. */
export function observedInvoke(invoke: Invoke, tell: ((run: PluginRun) => void) | undefined): Invoke {
  if (!tell) return invoke
  return (ctx, invocation) =>
    timed(
      timing => {
        tell({ ...timing, plugin: basename(invocation.path), command: invocation.command })
      },
      () => invoke(ctx, invocation),
    )
}

function isReadOnly(command: CniCommand): boolean {
  return command === 'STATUS' || command === 'VERSION'
}

async function runPlugin(deps: InvokeDeps, ctx: Ctx, invocation: Invocation): Promise<ProgramResult> {
  return deps.programs.run(ctx, {
    argv: [invocation.path],
    env: environment(deps.binDirs, invocation),
    stdin: invocation.stdin,
    timeoutMs: deps.pluginTimeoutMs,
    mayFinish: !isReadOnly(invocation.command),
  })
}

function environment(binDirs: readonly string[], invocation: Invocation): readonly string[] {
  const { attachment } = invocation
  const common = [`PATH=${searchPath}`, `CNI_COMMAND=${invocation.command}`, `CNI_PATH=${binDirs.join(':')}`]
  if (!attachment) return common
  return [
    ...common,
    `CNI_CONTAINERID=${attachment.containerId}`,
    `CNI_NETNS=${attachment.netnsPath}`,
    `CNI_IFNAME=${interfaceName}`,
    `CNI_ARGS=${renderArgs(attachment.args)}`,
  ]
}

/** Plugins refuse arguments that they do not know unless told otherwise. */
function renderArgs(args: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(args)
  if (pairs.length === 0) return ''
  const all = 'IgnoreUnknown' in args ? pairs : [['IgnoreUnknown', '1'], ...pairs]
  return all.map(([key, value]) => `${key}=${value}`).join(';')
}

/** Errors: `invalid-argument` if the id or an argument cannot be passed on in the environment. */
export function validateAttachment(attachment: InvocationAttachment): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(attachment.containerId)) {
    throw new RuntimeError(
      'invalid-argument',
      `"${printable(attachment.containerId)}" is not a CNI container id`,
    )
  }
  if (!isPassable(attachment.netnsPath)) {
    throw new RuntimeError(
      'invalid-argument',
      `network namespace path of ${attachment.containerId} is not a path`,
    )
  }
  for (const [key, value] of Object.entries(attachment.args)) {
    if (/^[a-zA-Z0-9_]+$/.test(key) && isPassable(value) && !/[;=]/.test(value)) continue
    throw new RuntimeError(
      'invalid-argument',
      `CNI argument "${printable(key)}" holds ; or = or control characters, or is too long`,
    )
  }
}

function isPassable(text: string): boolean {
  return text.length <= cniLimits.textCharacters && !/\p{Cc}/u.test(text)
}
