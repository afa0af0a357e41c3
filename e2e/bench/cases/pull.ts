import { createHash } from 'node:crypto'
import { type BuiltImage, buildImage } from '../../../deploy/demo/image-builder.ts'
import type { LayerEntry } from '../../../deploy/demo/tar-writer.ts'
import { type BenchCase, interleave, timed } from '../bench.ts'
import { cpuMs, keptProcesses } from '../processes.ts'
import type { Subject } from '../subjects/subject.ts'

const fileBytes = 22_500
const filesPerDirectory = 100

export const pull: BenchCase = {
  name: 'pull',
  title: 'an image of one gzip layer with many files, from a registry on loopback',
  async run(bench) {
    const { files } = bench.options
    bench.sheet.note(
      `${files} files, ${((files * fileBytes) / 1e6).toFixed(0)} MB; half of it compresses well`,
    )
    const image = await manyFiles(files)
    const seen = new Set<Subject>()
    await interleave(
      bench,
      async (subject, record) => {
        const reference = subject.publish('e2e/files', String(files), image)
        const processes = await keptProcesses(subject)
        const before = await cpuMs(processes)
        const [, ms] = await timed(() => subject.cri.pull(reference))
        const cpu = (await cpuMs(processes)) - before
        const when = seen.has(subject) ? 'again, after it was removed' : 'first'
        seen.add(subject)
        record({ metric: `pull, ${when}`, unit: 's', value: ms / 1000 })
        record({ metric: `pull, ${when}, CPU`, unit: 's', value: cpu / 1000 })
        const [, present] = await timed(() => subject.cri.pull(reference))
        record({ metric: 'pull of what is there', unit: 'ms', value: present })
        const [, removal] = await timed(() => subject.cri.removeImage(reference))
        record({ metric: 'RemoveImage', unit: 'ms', value: removal })
      },
      { warmUp: 0 },
    )
  },
}

async function manyFiles(count: number): Promise<BuiltImage> {
  const directories = Array.from({ length: Math.ceil(count / filesPerDirectory) }, (_, at) => `d${at}/`)
  const entries: LayerEntry[] = [
    ...directories.map(path => ({ type: 'directory', path }) as const),
    ...Array.from({ length: count }, (_, at) => ({
      ...({ type: 'file', mode: 0o644 } as const),
      path: `d${Math.floor(at / filesPerDirectory)}/f${at}`,
      content: contentOf(at),
    })),
  ]
  return buildImage({ layers: [{ entries }] })
}

/** Each file differs from all others; its second half is zeros. */
function contentOf(number: number): Buffer {
  const content = Buffer.alloc(fileBytes)
  createHash('shake256', { outputLength: fileBytes / 2 })
    .update(String(number))
    .digest()
    .copy(content)
  return content
}
