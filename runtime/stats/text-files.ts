import { close, open, read } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { errnoOf } from '#base/errors'
import { fileError } from '#base/files'
import { softFilesLimit } from './kernel-text.ts'

export const fileLimits = {
  /** Descriptors kept open, over all cgroups; further files are opened for each look. */
  kept: 8192,
  /** And this part of what the daemon may have open at all (RLIMIT_NOFILE). */
  keptShare: 0.25,
  bufferBytes: 8192,
  /** Buffers kept between looks. */
  buffers: 128,
  fileBytes: 1024 * 1024,
} as const

/** Small files that the kernel makes up: a file that is not there, or whose object is gone, reads as "". */
export interface TextFiles {
  /** For looks that happen once. */
  read(path: string): Promise<string>
  /** Files of one object, which stay open between looks: a look then costs one system call for each. */
  keep(): KeptFiles
}

export interface KeptFiles {
  /** Not twice at once for the same path. */
  read(path: string): Promise<string>
  /** What is being read is read to its end. Afterwards nothing is kept open. */
  close(): void
}

/** Errnos of what is not there: file, cgroup (while it is read, too), process, feature. */
const absent = new Set(['ENOENT', 'ENODEV', 'ESRCH', 'ENOTSUP', 'EOPNOTSUPP'])

export function createTextFiles(limitsPath = '/proc/self/limits'): TextFiles {
  const buffers: Buffer[] = []
  const room = { left: 0 }
  const measured = readRoom(limitsPath).then(found => {
    room.left += found
  })
  const files: TextFiles = {
    async read(path) {
      const fd = await openIfExists(path)
      if (fd === undefined) return ''
      try {
        return (await readText(fd, path, buffers)) ?? ''
      } finally {
        closeQuietly(fd)
      }
    },
    keep() {
      const kept = createKeptFiles({ files, room, buffers })
      return {
        async read(path) {
          await measured
          return kept.read(path)
        },
        close: () => {
          kept.close()
        },
      }
    },
  }
  return files
}

async function readRoom(limitsPath: string): Promise<number> {
  const limit = softFilesLimit(await readFile(limitsPath, 'utf8').catch(() => ''))
  return Math.floor(Math.min(fileLimits.kept, (limit ?? Number.POSITIVE_INFINITY) * fileLimits.keptShare))
}

interface Keeping {
  readonly files: TextFiles
  readonly room: { left: number }
  readonly buffers: Buffer[]
}

function createKeptFiles({ files, room, buffers }: Keeping): KeptFiles {
  const open = new Map<string, number>()
  let reading = 0
  let isClosed = false

  function forget(path: string, fd: number): void {
    if (!open.delete(path)) return
    room.left++
    closeQuietly(fd)
  }
  function closeAll(): void {
    for (const [path, fd] of open) forget(path, fd)
  }
  async function descriptor(path: string): Promise<number | undefined> {
    const known = open.get(path)
    if (known !== undefined) return known
    room.left--
    const fd = await openIfExists(path).catch((err: unknown) => {
      room.left++
      throw err
    })
    if (fd === undefined) room.left++
    else open.set(path, fd)
    return fd
  }
  async function look(path: string): Promise<string> {
    if (isClosed || (room.left <= 0 && !open.has(path))) return files.read(path)
    const fd = await descriptor(path)
    if (fd === undefined) return ''
    const text = await readText(fd, path, buffers)
    if (text === undefined) forget(path, fd)
    return text ?? ''
  }

  return {
    async read(path) {
      reading++
      try {
        return await look(path)
      } finally {
        reading--
        if (isClosed && reading === 0) closeAll()
      }
    },
    close() {
      isClosed = true
      if (reading === 0) closeAll()
    },
  }
}

function openIfExists(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    open(path, 'r', (err, fd) => {
      if (!err) resolve(fd)
      else if (absent.has(errnoOf(err) ?? '')) resolve(undefined)
      else reject(fileError(`cannot open ${path}`, err))
    })
  })
}

/** undefined when what the file tells about is gone. Ends at fileLimits.fileBytes. */
async function readText(fd: number, path: string, buffers: Buffer[]): Promise<string | undefined> {
  const buffer = buffers.pop() ?? Buffer.allocUnsafe(fileLimits.bufferBytes)
  try {
    let text = ''
    for (;;) {
      const size = await readAt(fd, buffer, text.length)
      text += buffer.toString('latin1', 0, size)
      if (size < buffer.length || text.length >= fileLimits.fileBytes) return text
    }
  } catch (err) {
    if (absent.has(errnoOf(err) ?? '')) return undefined
    throw fileError(`cannot read ${path}`, err)
  } finally {
    if (buffers.length < fileLimits.buffers) buffers.push(buffer)
  }
}

function readAt(fd: number, buffer: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, position, (err, size) => {
      if (err) reject(err)
      else resolve(size)
    })
  })
}

/** Nothing was written to it: closing cannot lose anything. */
function closeQuietly(fd: number): void {
  close(fd, () => undefined)
}
