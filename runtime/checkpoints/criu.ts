import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'
import { checkpointLimits } from './limits.ts'

/** CRIU on this node. */
export interface Criu {
  /** To be first in the PATH of an OCI runtime. */
  readonly directory: string
}

export interface CriuFinder {
  /**
   * Looks it up and asks it once, for as long as the file is the same, whether it works on this kernel. Errors:
   * `failed-precondition` with what is missing and what to do.
   */
  find(ctx: Ctx): Promise<Criu>
}

export interface CriuFinderDeps {
  readonly programs: Programs
  /** An absolute path that ends with /criu, or `criu`: OCI runtimes look it up by this name. */
  readonly nameOrPath: string
  /** Directories, as in $PATH. */
  readonly searchPath: string
}

export function createCriuFinder(deps: CriuFinderDeps): CriuFinder {
  const { nameOrPath } = deps
  const places = isAbsolute(nameOrPath)
    ? [nameOrPath]
    : deps.searchPath
        .split(':')
        .filter(isAbsolute)
        .map(directory => join(directory, nameOrPath))
  let known: { readonly stamp: string; readonly problem: string | undefined } | undefined

  return {
    async find(ctx) {
      const found = await firstProgram(places)
      if (!found) throw missing(nameOrPath)
      if (known?.stamp !== found.stamp) {
        known = { stamp: found.stamp, problem: await whyUnusable(ctx, deps.programs, found.path) }
      }
      if (known.problem === undefined) return { directory: dirname(found.path) }
      throw new RuntimeError(
        'failed-precondition',
        `${found.path} does not work on this node: ${known.problem}: install a newer CRIU (criu.org), and name it in checkpoint.criuPath if it is not in PATH`,
      )
    },
  }
}

interface FoundProgram {
  readonly path: string
  /** Another one when the file was replaced. */
  readonly stamp: string
}

async function firstProgram(places: readonly string[]): Promise<FoundProgram | undefined> {
  for (const path of places) {
    try {
      await access(path, constants.X_OK)
      const stats = await stat(path)
      if (stats.isFile()) return { path, stamp: `${path} ${stats.mtimeMs}/${stats.size}/${stats.ino}` }
    } catch {
      // not here
    }
  }
  return undefined
}

function missing(nameOrPath: string): RuntimeError {
  const where = isAbsolute(nameOrPath) ? '' : " in lighterd's PATH"
  return new RuntimeError(
    'failed-precondition',
    `checkpoint and restore need CRIU, and there is no "${nameOrPath}"${where}: install it (package criu), or set checkpoint.criuPath`,
  )
}

/** What `criu check` says; undefined: it works. */
async function whyUnusable(ctx: Ctx, programs: Programs, path: string): Promise<string | undefined> {
  try {
    const { exitCode, stdout, stderr } = await programs.run(ctx, {
      argv: [path, 'check'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      timeoutMs: checkpointLimits.criuCheckTimeoutMs,
    })
    if (exitCode === 0) return undefined
    const lines = `${stdout.toString()}\n${stderr.toString()}`.split('\n')
    const errors = lines.filter(line => line.includes('Error')).map(line => line.trim())
    const text = errors.join('; ').slice(0, checkpointLimits.messageLength)
    return `criu check ended with exit code ${exitCode}${text && ` (${text})`}`
  } catch (err) {
    if (isKind(err, 'deadline-exceeded') && !ctx.signal.aborted) return 'criu check hangs'
    if (isKind(err, 'not-found')) return 'it cannot be executed'
    throw err
  }
}
