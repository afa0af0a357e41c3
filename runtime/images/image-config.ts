import { type Digest, isDigest } from '#base/ids'
import type { ImageConfig } from '../model/image.ts'
import { createJsonReader, parseJsonObject } from './json.ts'
import { imageLimits } from './limits.ts'

export interface ParsedConfig {
  readonly config: ImageConfig
  /** Digest of each layer's uncompressed tar, bottom layer first. */
  readonly diffIds: readonly Digest[]
}

/**
 * Reads an OCI or Docker image config, whose author nobody trusts. Errors: `failed-precondition` if a field has
 * another type than the specification says, or the image is for another operating system.
 */
export function parseImageConfig(bytes: Uint8Array, what: string): ParsedConfig {
  const document = parseJsonObject(bytes, what)
  const reader = createJsonReader(what, imageLimits.configEntries)
  const config = reader.object(document, 'config') ?? {}
  const rootfs = reader.object(document, 'rootfs')
  if (!rootfs) throw reader.fail('has no rootfs')
  const os = reader.text(document, 'os')
  if (os !== '' && os !== 'linux') throw reader.fail(`is for "${os.slice(0, 40)}", not for linux`)
  const diffIds = reader.texts(rootfs, 'diff_ids').map(diffId => {
    if (!isDigest(diffId)) throw reader.fail(`diff_id "${diffId.slice(0, 100)}" is not a sha256 digest`)
    return diffId
  })
  const env = reader.texts(config, 'Env')
  const odd = env.find(entry => entry.indexOf('=') <= 0)
  if (odd !== undefined) throw reader.fail(`environment entry "${odd.slice(0, 40)}" is not NAME=value`)
  return {
    diffIds,
    config: {
      user: reader.text(config, 'User'),
      env,
      entrypoint: reader.texts(config, 'Entrypoint'),
      cmd: reader.texts(config, 'Cmd'),
      workingDir: reader.text(config, 'WorkingDir'),
      stopSignal: reader.text(config, 'StopSignal'),
      volumes: reader.texts({ Volumes: Object.keys(reader.object(config, 'Volumes') ?? {}) }, 'Volumes'),
      labels: reader.table(config, 'Labels'),
      os: os === '' ? 'linux' : os,
      architecture: reader.text(document, 'architecture'),
      created: reader.text(document, 'created'),
    },
  }
}
