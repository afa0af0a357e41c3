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
  const reader = createReader()
  const room = { left: 0 }
  const measured = readRoom(limitsPath).then(found => {
    room.left += found
  })
  return {
    read: path => readOnce(reader, path),
    keep: () => createKeptFiles({ reader, room, measured }),
  }
}

async function readRoom(limitsPath: string): Promise<number> {
  const limit = softFilesLimit(await readFile(limitsPath, 'utf8').catch(() => ''))
  return Math.floor(Math.min(fileLimits.kept, (limit ?? Number.POSITIVE_INFINITY) * fileLimits.keptShare))
}

interface Keeping {
  readonly reader: Reader
  /** Descriptors that may still be kept. */
  readonly room: { left: number }
  /** Settles when room is known. */
  readonly measured: Promise<void>
}

function createKeptFiles({ reader, room, measured }: Keeping): KeptFiles {
  const open = new Map<string, number>()
  let reading = 0
  let isClosed = false

  function forget(path: string, fd: number): void {
    if (!open.delete(path)) return
    room.left++
    closeQuietly(fd)
  }
  function done(): void {
    reading--
    if (isClosed && reading === 0) for (const [path, fd] of open) forget(path, fd)
  }
  /** One system call and one promise: this is what most of the work consists of. */
  async function readKept(path: string, fd: number): Promise<string> {
    const text = await reader.text(fd, path)
    if (text === undefined) forget(path, fd)
    return text ?? ''
  }
  async function readNew(path: string): Promise<string> {
    await measured
    if (isClosed || room.left <= 0) return readOnce(reader, path)
    room.left--
    const fd = await openIfExists(path).catch((err: unknown) => {
      room.left++
      throw err
    })
    if (fd === undefined) {
      room.left++
      return ''
    }
    open.set(path, fd)
    return readKept(path, fd)
  }

  return {
    read(path) {
      reading++
      const fd = open.get(path)
      return (fd === undefined ? readNew(path) : readKept(path, fd)).finally(done)
    },
    close() {
      isClosed = true
      reading++
      done()
    },
  }
}

async function readOnce(reader: Reader, path: string): Promise<string> {
  const fd = await openIfExists(path)
  if (fd === undefined) return ''
  try {
    return (await reader.text(fd, path)) ?? ''
  } finally {
    closeQuietly(fd)
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

interface Reader {
  /** From the beginning; undefined when what the file tells about is gone. Ends at fileLimits.fileBytes. */
  text(fd: number, path: string): Promise<string | undefined>
}

function createReader(): Reader {
  const buffers: Buffer[] = []
  return {
    text: (fd, path) =>
      new Promise((resolve, reject) => {
        const buffer = buffers.pop() ?? Buffer.allocUnsafe(fileLimits.bufferBytes)
        const give = () => {
          if (buffers.length < fileLimits.buffers) buffers.push(buffer)
        }
        const next = (before: string) => {
          read(fd, buffer, 0, buffer.length, before.length, (err, size) => {
            if (err) {
              give()
              if (absent.has(errnoOf(err) ?? '')) resolve(undefined)
              else reject(fileError(`cannot read ${path}`, err))
              return
            }
            const text = before + buffer.toString('latin1', 0, size)
            if (size === buffer.length && text.length < fileLimits.fileBytes) {
              next(text)
              return
            }
            give()
            resolve(text)
          })
        }
        next('')
      }),
  }
}

/** Nothing was written to it: closing cannot lose anything. */
function closeQuietly(fd: number): void {
  close(fd, () => undefined)
}
