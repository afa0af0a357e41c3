import { createHash } from 'node:crypto'

/** One entry of a layer made for a test. */
export interface TarEntry {
  readonly name: string
  readonly type?: 'file' | 'directory' | 'symlink'
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly content?: string | Buffer
  readonly link?: string
}

const blockSize = 512
const typeFlags = { file: '0', directory: '5', symlink: '2' } as const

/** A ustar archive with exactly these entries, in this order. */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(entry => {
    const content = Buffer.from(entry.content ?? '')
    const padding = Buffer.alloc((blockSize - (content.byteLength % blockSize)) % blockSize)
    return [makeHeader(entry, content.byteLength), content, padding]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * blockSize)])
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function makeHeader(entry: TarEntry, size: number): Buffer {
  const type = entry.type ?? 'file'
  const header = Buffer.alloc(blockSize)
  const octal = (value: number, offset: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1')
  header.write(entry.name, 0, 100, 'utf8')
  octal(entry.mode ?? (type === 'directory' ? 0o755 : 0o644), 100, 8)
  octal(entry.uid ?? 0, 108, 8)
  octal(entry.gid ?? 0, 116, 8)
  octal(size, 124, 12)
  octal(1_600_000_000, 136, 12)
  header.write(' '.repeat(8), 148, 'latin1')
  header.write(typeFlags[type], 156, 'latin1')
  header.write(entry.link ?? '', 157, 100, 'utf8')
  header.write('ustar\u000000', 257, 'latin1')
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  )
  return header
}
