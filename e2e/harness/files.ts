import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** A file of /proc, /sys or a test directory that may be gone the next moment: "" if so. */
export async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

export async function readLinkText(path: string): Promise<string> {
  return readlink(path).catch(() => '')
}

/** Names in a directory, sorted; empty if there is none. */
export async function listDirectory(path: string): Promise<readonly string[]> {
  const names = await readdir(path).catch(() => [])
  return names.sort()
}

/** Paths below `directory`, relative to it, down to `depth` levels; directories end with a slash. */
export async function walk(directory: string, depth: number): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  const found: string[] = []
  for (const entry of entries) {
    if (!entry.isDirectory()) {
      found.push(entry.name)
      continue
    }
    found.push(`${entry.name}/`)
    if (depth > 1) {
      const below = await walk(join(directory, entry.name), depth - 1)
      found.push(...below.map(path => `${entry.name}/${path}`))
    }
  }
  return found.sort()
}
