import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { critestPath } from './suite.ts'

/** The image that the suite pulls by a digest of its own. */
const pinned = /test-image-digest@(sha256:[0-9a-f]{64})/

/**
 * Writes a copy of the suite that asks for the image of another digest, so that the spec about it can be run offline;
 * answers its path. Errors: the suite does not have that digest in this form.
 */
export async function suiteWithDigest(dir: string, digest: string): Promise<string> {
  const program = await readFile(critestPath, 'latin1')
  const found = pinned.exec(program)?.[1]
  if (found === undefined) throw new Error(`${critestPath} does not name a digest of test-image-digest`)
  if (digest.length !== found.length) throw new Error(`${digest} is not as long as ${found}`)
  const path = join(dir, 'critest-with-digest')
  await writeFile(path, program.replaceAll(found, digest), { encoding: 'latin1', mode: 0o755 })
  return path
}
