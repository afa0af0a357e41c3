import { readFile, writeFile } from 'node:fs/promises'
import { fileError } from '#base/files'
import type { LinuxResources } from '../model/linux.ts'
import { cgroupDirectory } from './cgroup-paths.ts'
import type { CgroupLayout } from './cgroups.ts'

/**
 * Sets the hugepage limits of a container's cgroup, which the OCI runtimes only do when they make it. Nothing on a node
 * without that controller. Answers what puts the former limits back; on an error they are in force.
 */
export async function setHugepageLimits(
  layout: CgroupLayout,
  cgroupsPath: string,
  limits: LinuxResources['hugepageLimits'],
): Promise<() => Promise<void>> {
  const directory = cgroupDirectory(layout, cgroupsPath, 'hugetlb')
  const former = new Map<string, string>()
  const putBack = async (): Promise<void> => {
    for (const [file, text] of former) await writeFile(file, text)
  }
  if (directory === undefined) return putBack
  try {
    for (const { pageSize, limitBytes } of limits) {
      const file = `${directory}/hugetlb.${pageSize}.${layout.version === 2 ? 'max' : 'limit_in_bytes'}`
      const text = (await readFile(file, 'utf8')).trim()
      if (text === String(limitBytes)) continue
      await writeFile(file, String(limitBytes))
      former.set(file, text)
    }
  } catch (err) {
    await putBack()
    throw fileError(`cannot set the hugepage limits of cgroup ${cgroupsPath}`, err)
  }
  return putBack
}
