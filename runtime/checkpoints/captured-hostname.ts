import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RuntimeError } from '#base/errors'
import { fileError } from '#base/files'

/** Two magic numbers, then the length of one protobuf message (criu, images/utsns.proto: nodename 1, domainname 2). */
const headerBytes = 12
const maxBytes = 4096
/** Field 1 and field 2, length-delimited. */
const tags = { nodename: 0x0a, domainname: 0x12 } as const
/** As the kernel has it when nobody set one. */
const noDomain = '(none)'

/**
 * Gives captured processes another hostname. CRIU sets what it has captured, and does so in the UTS namespace of the pod
 * that they are restored into: without this the first restored container would rename its new pod.
 */
export async function replaceCapturedHostname(images: string, hostname: string): Promise<void> {
  const names = (await readdir(images)).filter(name => /^utsns-[0-9]+\.img$/.test(name))
  for (const name of names) await replaceIn(join(images, name), hostname)
}

async function replaceIn(path: string, hostname: string): Promise<void> {
  try {
    const image = await readFile(path)
    if (image.length < headerBytes || image.length > maxBytes) {
      throw new RuntimeError('invalid-argument', `${path} is no image of CRIU`)
    }
    const message = Buffer.concat([field(tags.nodename, hostname), field(tags.domainname, noDomain)])
    const header = Buffer.from(image.subarray(0, headerBytes))
    header.writeUInt32LE(message.length, headerBytes - 4)
    await writeFile(path, Buffer.concat([header, message]))
  } catch (err) {
    throw fileError(`cannot change ${path}`, err)
  }
}

/** A hostname has at most 64 bytes: one byte of length is enough. */
function field(tag: number, text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([tag, bytes.length]), bytes])
}
