import type { Ctx } from '#base/context'
import { messageOf, RuntimeError } from '#base/errors'
import { pathExists, readFileIfExists } from '#base/files'
import type { Programs } from '#base/programs'
import type { HostFacts } from '../host/host-facts.ts'
import { apparmorProfileText, defaultApparmorProfile } from './apparmor-profile.ts'

const limits = { loadTimeoutMs: 30_000, labelBytes: 64 * 1024, messageLength: 500 } as const

/** Where a node with AppArmor has its things. */
export interface ApparmorPaths {
  /** The first one that is there is used. */
  readonly parsers: readonly string[]
  readonly abi: string
  /** The daemon's own label. */
  readonly label: string
}

const nodePaths: ApparmorPaths = {
  parsers: ['/usr/sbin/apparmor_parser', '/sbin/apparmor_parser'],
  abi: '/etc/apparmor.d/abi/3.0',
  label: '/proc/self/attr/current',
}

interface LoadDeps {
  readonly programs: Programs
  readonly facts: Pick<HostFacts, 'hasApparmor'>
  readonly paths?: ApparmorPaths
}

/**
 * Gives the kernel the default profile, in the place of a former one. Does nothing on a node without AppArmor.
 * A failure is logged: then containers that ask for the default profile are refused, the others run without one.
 */
export async function loadApparmorProfile(ctx: Ctx, deps: LoadDeps): Promise<void> {
  if (!deps.facts.hasApparmor) return
  const profile = defaultApparmorProfile
  try {
    await load(ctx, deps.programs, deps.paths ?? nodePaths)
    ctx.log.debug({ profile }, 'AppArmor profile loaded')
  } catch (err) {
    ctx.log.error({ profile, err: messageOf(err) }, 'AppArmor profile cannot be loaded')
  }
}

async function load(ctx: Ctx, programs: Programs, paths: ApparmorPaths): Promise<void> {
  const parser = await firstOf(paths.parsers)
  const [label, hasAbi] = await Promise.all([
    readFileIfExists(paths.label, limits.labelBytes),
    pathExists(paths.abi),
  ])
  const result = await programs.run(ctx, {
    argv: [parser, '--replace', '--skip-cache'],
    env: [],
    stdin: apparmorProfileText({ daemonProfile: profileOf(label?.toString() ?? ''), hasAbi }),
    timeoutMs: limits.loadTimeoutMs,
  })
  if (result.exitCode === 0) return
  const text = result.stderr.toString().trim().slice(-limits.messageLength)
  throw new RuntimeError('failed-precondition', `${parser} failed: ${text}`)
}

async function firstOf(paths: readonly string[]): Promise<string> {
  for (const path of paths) if (await pathExists(path)) return path
  throw new RuntimeError('failed-precondition', `${paths.join(' or ')} not found: install AppArmor's tools`)
}

/** `NAME (enforce)`, or `unconfined`. */
function profileOf(label: string): string | undefined {
  const name = label.replace(/[\0\n]+$/, '').replace(/ \([a-z]+\)$/, '')
  return name === '' || name === 'unconfined' || /["\n]/.test(name) ? undefined : name
}
