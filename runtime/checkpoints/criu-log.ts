import { open } from 'node:fs/promises'
import { errnoOf } from '#base/errors'
import { fileError } from '#base/files'
import { checkpointLimits } from './limits.ts'

/** A limit that CRIU cannot raise for itself is a remark, whatever it calls it. */
const remark = /rlimit: Can't setup/

/** What CRIU's log at the path says went wrong; "" if it says nothing or is not there. */
export async function errorsInLog(path: string): Promise<string> {
  const lines = (await tailOf(path)).split('\n')
  return lines
    .filter(line => /^\([0-9.]+\)\s+(?:[0-9]+: )?Error \(/.test(line) && !remark.test(line))
    .map(line => line.replace(/^\([0-9.]+\)\s*(?:[0-9]+: )?/, '').replace(/^Error \([^)]*\): /, ''))
    .join('; ')
    .slice(0, checkpointLimits.messageLength)
}

async function tailOf(path: string): Promise<string> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const length = Math.min(size, checkpointLimits.logTailBytes)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return ''
    throw fileError(`cannot read ${path}`, err)
  }
}
