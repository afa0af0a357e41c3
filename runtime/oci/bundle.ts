import { RuntimeError } from '#base/errors'
import { readFileIfExists, writeFileAtomic } from '#base/files'
import type { Spec } from './spec/types.ts'

const limits = { configBytes: 16 * 1024 * 1024 } as const

/** Writes config.json into an existing bundle directory; a daemon that dies meanwhile leaves none or a whole one. */
export async function writeBundle(bundlePath: string, spec: Spec): Promise<void> {
  const text = JSON.stringify(spec)
  if (text.length > limits.configBytes) {
    throw new RuntimeError('invalid-argument', `the OCI spec of bundle ${bundlePath} is larger than 16 MiB`)
  }
  // Environment variables are secrets of the container.
  await writeFileAtomic(`${bundlePath}/config.json`, text, { mode: 0o600, durability: 'process death' })
}

/** What writeBundle wrote. Errors: `not-found`, `data-loss` if it cannot be read any more. */
export async function readBundle(bundlePath: string): Promise<Spec> {
  const path = `${bundlePath}/config.json`
  const data = await readFileIfExists(path, limits.configBytes)
  if (!data) throw new RuntimeError('not-found', `${path} does not exist`)
  try {
    return JSON.parse(data.toString()) as Spec
  } catch (err) {
    throw new RuntimeError('data-loss', `${path} is damaged`, { cause: err })
  }
}
