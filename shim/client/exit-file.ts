import { RuntimeError } from '#base/errors'
import { readFileIfExists } from '#base/files'
import type { ReadExitFile, ShimState } from './shim.ts'

const exitFileBytes = 16 * 1024
const exitFileVersion = '1'

/** See ReadExitFile. Errors: `data-loss` when the file is not what a shim writes (shim/PROTOCOL.md). */
export const readExitFile: ReadExitFile = async path => {
  const bytes = await readFileIfExists(path, exitFileBytes)
  return bytes && parseExitFile(path, bytes.toString('utf8'))
}

function parseExitFile(path: string, text: string): ShimState {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    if (space > 0) values.set(line.slice(0, space), line.slice(space + 1))
  }
  if (values.get('version') !== exitFileVersion) {
    throw new RuntimeError('data-loss', `${path} is not an exit file of version ${exitFileVersion}`)
  }
  const message = values.get('error')
  if (message !== undefined) return { kind: 'failed', message }
  const integer = (name: string): bigint => {
    const value = values.get(name) ?? ''
    if (!/^\d{1,19}$/.test(value)) {
      throw new RuntimeError('data-loss', `exit file ${path} has "${value}" as ${name}, not a number`)
    }
    return BigInt(value)
  }
  return {
    kind: 'exited',
    exit: {
      exitCode: Number(integer('exit_code')),
      signal: Number(integer('signal')),
      isOomKilled: integer('oom') !== 0n,
      finishedAtNs: integer('finished_ns'),
    },
  }
}
