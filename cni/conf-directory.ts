import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, messageOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import { type ConfList, parseConfList } from './conf-list.ts'
import { cniLimits } from './limits.ts'

/** What a look at the conf directory gave. */
export interface ConfState {
  readonly list: ConfList | undefined
  /** Why there is no list, and what to do; "" if there is one. */
  readonly problem: string
  /** Files before the chosen one that cannot be used, and why. */
  readonly skipped: readonly string[]
}

/** Reads the directory: of the conf files, sorted by name, the first that is valid. Never throws. */
export async function readConfDirectory(confDir: string): Promise<ConfState> {
  let names: readonly string[]
  try {
    names = await readdir(confDir)
  } catch (err) {
    const why =
      errnoOf(err) === 'ENOENT' ? 'does not exist' : `cannot be read (${errnoOf(err) ?? messageOf(err)})`
    return { list: undefined, skipped: [], problem: `CNI conf directory ${confDir} ${why}: ${remedy}` }
  }
  return await firstValid(confDir, names)
}

const remedy = 'install a network plugin, or put a .conflist there'

async function firstValid(confDir: string, names: readonly string[]): Promise<ConfState> {
  const candidates = names.filter(name => /\.(?:conflist|conf|json)$/.test(name)).sort()
  const skipped: string[] = []
  for (const name of candidates.slice(0, cniLimits.confFiles)) {
    const file = join(confDir, name)
    try {
      return { list: parseConfList(file, await readConfFile(file)), problem: '', skipped }
    } catch (err) {
      skipped.push(messageOf(err))
    }
  }
  const [first] = skipped
  const problem =
    first === undefined
      ? `no CNI conf list (*.conflist, *.conf, *.json) in ${confDir}: ${remedy}`
      : `no valid CNI conf list in ${confDir}: ${first}`
  return { list: undefined, problem, skipped }
}

/** O_NONBLOCK: opening a fifo must not wait for its writer. */
async function readConfFile(file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((err: unknown) => {
    throw fileError(`CNI conf file ${file} cannot be read`, err)
  })
  try {
    const stats = await handle.stat()
    if (!stats.isFile())
      throw new RuntimeError('invalid-argument', `CNI conf file ${file} is no regular file`)
    if (stats.size > cniLimits.confFileBytes) {
      const limit = cniLimits.confFileBytes
      throw new RuntimeError('invalid-argument', `CNI conf file ${file} is larger than ${limit} bytes`)
    }
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(stats.size), 0, stats.size, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
