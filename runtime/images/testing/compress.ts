import { execFileSync } from 'node:child_process'

/** Node 20 has no zstd of its own. */
export function zstdTar(tar: Buffer): Buffer {
  return execFileSync('zstd', ['--quiet', '--stdout'], { input: tar, maxBuffer: 64 * 1024 * 1024 })
}
