import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const program = join(import.meta.dirname, '..', '..', '..', 'native', 'lighter-unpack')
const shownBytes = 1_000_000

export interface UnpackOptions {
  /** Default: none. */
  readonly compression?: 'none' | 'gzip' | 'zstd'
  readonly maxBytes?: number
  readonly maxInodes?: number
}

export interface UnpackRun {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface Unpacked extends UnpackRun {
  /** `TYPE PATH [CONTENT or TARGET]` of everything in the destination, directories before what is in them. */
  readonly tree: readonly string[]
  readonly directory: string
}

/** Runs the real lighter-unpack, each time in a new directory that has something beside and above it to spoil. */
export interface Unpacker {
  /** Fails if anything appears or changes beside the destination. */
  unpack(blob: Uint8Array, options?: UnpackOptions): Promise<Unpacked>
  /** A place for files of the test's own. */
  readonly base: string
  remove(): Promise<void>
}

export async function createUnpacker(): Promise<Unpacker> {
  const base = await mkdtemp(join(tmpdir(), 'lighter-unpack-'))
  let number = 0
  return {
    base,
    async unpack(blob, options = {}) {
      const home = join(base, String(number++))
      const directory = join(home, 'outer', 'root')
      const blobPath = join(base, 'blob')
      await mkdir(directory, { recursive: true })
      await writeFile(join(home, 'victim'), 'untouched')
      await writeFile(blobPath, blob)
      const run = await runUnpack(unpackFlags({ blobPath, directory }, options))
      assert.deepEqual(await readdir(home), ['outer', 'victim'])
      assert.deepEqual(await readdir(join(home, 'outer')), ['root'])
      assert.equal(await readFile(join(home, 'victim'), 'utf8'), 'untouched')
      return { ...run, tree: await listTree(directory), directory }
    },
    remove: () => rm(base, { recursive: true, force: true }),
  }
}

export function unpackFlags(
  { blobPath, directory }: { readonly blobPath: string; readonly directory: string },
  options: UnpackOptions = {},
): readonly string[] {
  return [
    ...['--blob', blobPath],
    ...['--dest', directory],
    ...['--compression', options.compression ?? 'none'],
    ...['--max-bytes', String(options.maxBytes ?? 1e9)],
    ...['--max-inodes', String(options.maxInodes ?? 1e5)],
  ]
}

export async function runUnpack(flags: readonly string[]): Promise<UnpackRun> {
  return new Promise(resolve => {
    const child = execFile(program, flags, (_err, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr })
    })
  })
}

/** By hand: readdir's recursive option follows links. */
async function listTree(root: string, below = ''): Promise<readonly string[]> {
  const lines: string[] = []
  for (const name of (await readdir(join(root, below))).sort()) {
    const path = join(below, name)
    const line = await describe(join(root, path), path)
    lines.push(line, ...(line.startsWith('d ') ? await listTree(root, path) : []))
  }
  return lines
}

async function describe(path: string, name: string): Promise<string> {
  const stat = await lstat(path)
  if (stat.isDirectory()) return `d ${name}`
  if (stat.isSymbolicLink()) return `l ${name} ${await readlink(path)}`
  if (stat.isCharacterDevice()) return stat.rdev === 0 ? `w ${name}` : `c ${name}`
  if (stat.isBlockDevice()) return `b ${name}`
  if (stat.isFIFO()) return `p ${name}`
  if (stat.size > shownBytes) return `- ${name} of ${stat.size} bytes in ${stat.blocks} blocks`
  return `- ${name} ${(await readFile(path, 'utf8')).slice(0, 40)}`.trimEnd()
}
