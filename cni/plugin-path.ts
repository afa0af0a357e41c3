import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, RuntimeError } from '#base/errors'
import { fileError } from '#base/files'

/** A plugin binary as it was found. */
export interface PluginBinary {
  readonly path: string
  /** Changes when the file is replaced or rewritten. */
  readonly identity: string
}

/** Finds a plugin in the directories, first hit wins. Errors: `failed-precondition`, saying where it was sought. */
export async function findPlugin(binDirs: readonly string[], type: string): Promise<PluginBinary> {
  let isNotExecutable = ''
  for (const directory of binDirs) {
    const path = join(directory, type)
    const found = await lookAt(path)
    if (found === 'not executable') isNotExecutable = ` (${path} is there, but is no executable file)`
    else if (found) return found
  }
  throw new RuntimeError(
    'failed-precondition',
    `CNI plugin "${type}" is not in ${binDirs.join(' or ')}${isNotExecutable}: install it there`,
  )
}

async function lookAt(path: string): Promise<PluginBinary | 'not executable' | undefined> {
  try {
    const file = await stat(path)
    if (!file.isFile() || (file.mode & 0o111) === 0) return 'not executable'
    return { path, identity: [file.dev, file.ino, file.size, file.mtimeMs].join(':') }
  } catch (err) {
    if (errnoOf(err) === 'ENOENT' || errnoOf(err) === 'ENOTDIR') return undefined
    throw fileError(`cannot look at CNI plugin ${path}`, err)
  }
}
