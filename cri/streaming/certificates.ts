import { stat } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { messageOf, RuntimeError } from '#base/errors'
import { readFileIfExists } from '#base/files'
import type { Log } from '#base/log'
import type { StreamingConfig } from '../config/defaults.ts'
import { streamingLimits } from './limits.ts'

type TlsConfig = StreamingConfig['tls']

export interface Certificates {
  /** Errors: `invalid-argument` naming the files. */
  load(): Promise<SecureContextOptions>
  /** What is in the files now, if they changed and are good; else undefined, and the log says why. Never rejects. */
  reload(): Promise<SecureContextOptions | undefined>
}

/** Certificates in files that somebody renews. They are looked at when they are needed: there is nothing to watch. */
export function createCertificates(config: TlsConfig, log: Log): Certificates {
  const files = [config.certFile, config.keyFile, config.clientCaFile].filter(path => path !== '')
  let loaded = ''
  let refused = ''

  async function load(): Promise<SecureContextOptions> {
    const print = await fingerprint(files)
    const options = await readCertificates(config)
    loaded = print
    return options
  }
  return {
    load,
    async reload() {
      let print = ''
      try {
        print = await fingerprint(files)
        if (print === loaded) return undefined
        const options = await load()
        log.info({ files }, 'certificates of the streaming server renewed')
        return options
      } catch (err) {
        // Files that are replaced one after the other do not fit for a moment: said once, tried again.
        if (refused !== print)
          log.warn({ err: messageOf(err) }, 'certificates of the streaming server stay as they are')
        refused = print
        return undefined
      }
    },
  }
}

/** Changes when a file does; a file that cannot be looked at is found out when it is read. */
async function fingerprint(files: readonly string[]): Promise<string> {
  const stats = await Promise.all(files.map(path => stat(path, { bigint: true }).catch(() => undefined)))
  return stats
    .map(one => (one ? [one.dev, one.ino, one.size, one.mtimeNs, one.ctimeNs].join(' ') : 'none'))
    .join()
}

async function readCertificates(config: TlsConfig): Promise<SecureContextOptions> {
  const { certFile, keyFile, clientCaFile, minVersion } = config
  const [cert, key] = await Promise.all([readNeeded(certFile), readNeeded(keyFile)])
  const ca = clientCaFile === '' ? undefined : await readNeeded(clientCaFile)
  const options = { cert, key, minVersion, ...(ca && { ca }) }
  try {
    createSecureContext(options)
  } catch (err) {
    const why = `${certFile} and ${keyFile} are no certificate with its key: ${messageOf(err)}`
    throw new RuntimeError('invalid-argument', why, { cause: err })
  }
  return options
}

async function readNeeded(path: string): Promise<Buffer> {
  const bytes = await readFileIfExists(path, streamingLimits.certificateFileBytes)
  if (!bytes)
    throw new RuntimeError('invalid-argument', `there is no ${path}, which the streaming server needs`)
  return bytes
}
