import { spawn } from 'node:child_process'
import { RuntimeError } from '#base/errors'
/** What `zstd` makes of the bytes. Node 20 has no zstd; errors: `not-found` without the program. */
export async function compressZstd(bytes) {
  const child = spawn('zstd', ['--quiet', '--stdout'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const chunks = []
  child.stdout.on('data', chunk => chunks.push(chunk))
  const ended = new Promise((resolve, reject) => {
    child.on('close', resolve)
    child.on('error', err => {
      reject(new RuntimeError('not-found', 'cannot run zstd: install the package zstd', { cause: err }))
    })
  })
  // A child that could not be started, or went away, says so by its end.
  child.stdin.on('error', () => undefined)
  child.stdin.end(bytes)
  const code = await ended
  if (code !== 0) throw new RuntimeError('internal', `zstd ended with ${String(code)}`)
  return Buffer.concat(chunks)
}
//# sourceMappingURL=zstd.js.map
