import { readdir } from 'node:fs/promises'
import { errnoOf } from '#base/errors'
import { fileError } from '#base/files'

/** Page sizes of this machine as the files of the hugetlb controller are called; hugepages-2048kB is 2MB. */
export async function hugepageSizes(path = '/sys/kernel/mm/hugepages'): Promise<readonly string[]> {
  try {
    return (await readdir(path)).flatMap(name => {
      const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1])
      if (!kilobytes) return []
      if (kilobytes >= 1024 * 1024) return [`${kilobytes / 1024 / 1024}GB`]
      return [kilobytes >= 1024 ? `${kilobytes / 1024}MB` : `${kilobytes}KB`]
    })
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return []
    throw fileError(`cannot read ${path}`, err)
  }
}
