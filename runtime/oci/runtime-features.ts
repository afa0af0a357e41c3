import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { readFileIfExists } from '#base/files'
import type { Programs } from '#base/programs'
import type { CgroupLayout } from '../host/cgroups.ts'
import type { KernelVersion } from '../host/host-facts.ts'

const limits = { programTimeoutMs: 10_000, cachedRuntimes: 64, controllersBytes: 64 * 1024 } as const

/** One OCI runtime on this node and what it can do. */
export interface RuntimeFeatures {
  /** Absolute path of the binary. */
  readonly path: string
  /** First line of --version. */
  readonly version: string
  readonly hasRecursiveReadOnlyMounts: boolean
  readonly hasSeccomp: boolean
  readonly hasApparmor: boolean
  readonly hasUserNamespaces: boolean
}

export interface RuntimeFinder {
  /**
   * Looks up a runtime by absolute path, or by name in PATH, and asks it once for as long as the file is the same.
   * Errors: `failed-precondition` if it is not there or does not run.
   */
  find(ctx: Ctx, nameOrPath: string): Promise<RuntimeFeatures>
}

export function createRuntimeFinder(deps: {
  readonly programs: Programs
  readonly kernel: KernelVersion
  /** Directories, as in $PATH. */
  readonly searchPath: string
}): RuntimeFinder {
  const cache = new Map<string, { readonly stamp: string; readonly features: RuntimeFeatures }>()
  return {
    async find(ctx, nameOrPath) {
      // One look at the file that was found last; PATH is searched when it is another, or gone.
      const cached = cache.get(nameOrPath)
      if (cached && (await executableStamp(cached.features.path)) === cached.stamp) return cached.features
      const { path, stamp } = await findProgram(nameOrPath, deps.searchPath)
      const features = await askRuntime(ctx, deps, path)
      if (cache.size >= limits.cachedRuntimes) cache.clear()
      cache.set(nameOrPath, { stamp, features })
      return features
    },
  }
}

interface FoundProgram {
  readonly path: string
  /** Another one when the file was replaced. */
  readonly stamp: string
}

async function findProgram(nameOrPath: string, searchPath: string): Promise<FoundProgram> {
  const directories = searchPath.split(':').filter(isAbsolute)
  const candidates = isAbsolute(nameOrPath) ? [nameOrPath] : directories.map(dir => join(dir, nameOrPath))
  for (const path of candidates) {
    const stamp = await executableStamp(path)
    if (stamp !== undefined) return { path, stamp }
  }
  const where = isAbsolute(nameOrPath) ? '' : ` in ${directories.join(', ')}`
  throw new RuntimeError(
    'failed-precondition',
    `OCI runtime "${nameOrPath}" not found${where}: install it, or set the path of the runtime handler`,
  )
}

async function executableStamp(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK)
    const stats = await stat(path)
    return stats.isFile() ? `${stats.mtimeMs}/${stats.size}/${stats.ino}` : undefined
  } catch {
    return undefined
  }
}

interface AskDeps {
  readonly programs: Programs
  readonly kernel: KernelVersion
}

async function askRuntime(ctx: Ctx, deps: AskDeps, path: string): Promise<RuntimeFeatures> {
  const ask = (argument: string): ReturnType<Programs['run']> =>
    deps.programs.run(ctx, { argv: [path, argument], env: [], timeoutMs: limits.programTimeoutMs })
  const [version, features] = await Promise.all([ask('--version'), ask('features')])
  if (version.exitCode !== 0) {
    const text = version.stderr.toString().trim().slice(0, 500)
    throw new RuntimeError('failed-precondition', `OCI runtime ${path} --version failed: ${text}`)
  }
  return {
    path,
    version: version.stdout.toString().split('\n', 1)[0] ?? '',
    // Runtimes older than the command say so with an error, and can do none of it.
    ...parseFeatures(features.exitCode === 0 ? features.stdout.toString() : '{}', deps.kernel),
  }
}

/** The answer of `runc features` (OCI runtime spec, features.md); what is not there counts as no. */
export function parseFeatures(
  text: string,
  kernel: KernelVersion,
): Omit<RuntimeFeatures, 'path' | 'version'> {
  const root = parseJson(text)
  const options = at(root, 'mountOptions')
  const namespaces = at(root, 'linux', 'namespaces')
  const hasMountSetattr = kernel.major > 5 || (kernel.major === 5 && kernel.minor >= 12)
  return {
    hasRecursiveReadOnlyMounts: hasMountSetattr && Array.isArray(options) && options.includes('rro'),
    hasSeccomp: at(root, 'linux', 'seccomp', 'enabled') === true,
    hasApparmor: at(root, 'linux', 'apparmor', 'enabled') === true,
    hasUserNamespaces: Array.isArray(namespaces) && namespaces.includes('user'),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

function at(value: unknown, ...keys: readonly string[]): unknown {
  let current = value
  for (const key of keys) {
    if (typeof current !== 'object' || current === null) return undefined
    current = (current as Readonly<Record<string, unknown>>)[key]
  }
  return current
}

/**
 * Why an OCI runtime that is there cannot run containers on this node; undefined: it can. crun has no question that
 * would tell: it refuses, when a container starts, v1 control groups beside a v2 hierarchy that has controllers.
 */
export async function whyUnusable(
  features: Pick<RuntimeFeatures, 'path' | 'version'>,
  cgroups: Pick<CgroupLayout, 'version' | 'unified'>,
): Promise<string | undefined> {
  if (cgroups.version !== 1 || cgroups.unified === undefined || !/^crun\b/.test(features.version))
    return undefined
  const file = `${cgroups.unified}/cgroup.controllers`
  const controllers = (await readFileIfExists(file, limits.controllersBytes))?.toString().trim() ?? ''
  if (controllers === '') return undefined
  return `${features.path} is crun, which refuses cgroup v1 while ${file} names controllers (${controllers})`
}
