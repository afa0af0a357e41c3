import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { fileError } from '#base/files'
import type { CgroupLayout } from './cgroups.ts'

/** Parent of containers whose pod names none, by driver. */
const defaultParent = { cgroupfs: '/lighter', systemd: 'lighter.slice' } as const
const scopePrefix = 'lighter'

/**
 * OCI linux.cgroupsPath of a container or a pod's own process: PARENT/ID, with systemd SLICE:lighter:ID.
 * `parent` is CRI cgroup_parent; "" for lighter's own. Errors: `invalid-argument`.
 */
export function cgroupsPathFor(layout: CgroupLayout, parent: string, id: string): string {
  if (/[\0\n:]/.test(parent)) {
    throw new RuntimeError(
      'invalid-argument',
      `cgroup_parent "${parent}" contains a character that is not allowed`,
    )
  }
  if (layout.driver === 'cgroupfs') {
    if (parent.endsWith('.slice')) {
      throw new RuntimeError(
        'invalid-argument',
        `cgroup_parent "${parent}" is a slice of systemd, and the cgroup driver is cgroupfs: set both to the same`,
      )
    }
    return posix.join('/', parent || defaultParent.cgroupfs, id)
  }
  const slice = posix.basename(parent || defaultParent.systemd)
  if (!slice.endsWith('.slice')) {
    throw new RuntimeError(
      'invalid-argument',
      `cgroup_parent "${parent}" is not a slice, and the cgroup driver is systemd`,
    )
  }
  return `${slice}:${scopePrefix}:${id}`
}

/** Every directory that is this cgroup, one per hierarchy; for killing, removing and joining. */
export function cgroupDirectories(layout: CgroupLayout, cgroupsPath: string): readonly string[] {
  const relative = relativePath(cgroupsPath)
  // On a hybrid machine the OCI runtime joins the v2 hierarchy, too.
  const roots = [
    ...Object.values(layout.controllers),
    ...(layout.unified === undefined ? [] : [layout.unified]),
  ]
  return [...new Set(roots)].map(root => posix.join(root, relative))
}

/** The directory with the files of one controller; undefined if the node has no such controller. */
export function cgroupDirectory(
  layout: CgroupLayout,
  cgroupsPath: string,
  controller: string,
): string | undefined {
  const root = layout.controllers[controller]
  return root === undefined ? undefined : posix.join(root, relativePath(cgroupsPath))
}

/** File in which the kernel counts OOM kills of the cgroup (lighter-shim --oom-file). */
export function oomPath(layout: CgroupLayout, cgroupsPath: string): string | undefined {
  const directory = cgroupDirectory(layout, cgroupsPath, 'memory')
  if (directory === undefined) return undefined
  return `${directory}/${layout.version === 2 ? 'memory.events' : 'memory.oom_control'}`
}

/** Makes a cgroup that processes can join, in every hierarchy; existing is fine. Answers its directories. */
export async function makeCgroup(layout: CgroupLayout, cgroupsPath: string): Promise<readonly string[]> {
  const directories = cgroupDirectories(layout, cgroupsPath)
  try {
    await Promise.all(directories.map(directory => mkdir(directory, { recursive: true })))
    const cpuset = layout.version === 1 ? layout.controllers.cpuset : undefined
    if (cpuset !== undefined) await inheritCpuset(cpuset, relativePath(cgroupsPath))
  } catch (err) {
    throw fileError(`cannot make cgroup ${cgroupsPath}`, err)
  }
  return directories
}

/** A v1 cpuset starts empty, and an empty one cannot be joined: each level takes over what its parent has. */
async function inheritCpuset(root: string, relative: string): Promise<void> {
  let parent = root
  for (const part of relative.split('/').filter(name => name !== '')) {
    const child = posix.join(parent, part)
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = await readFile(`${child}/${file}`, 'utf8')
      if (own.trim() === '') await writeFile(`${child}/${file}`, await readFile(`${parent}/${file}`))
    }
    parent = child
  }
}

/** Path of the cgroup that CRI cgroup_parent names, below the root of a hierarchy. */
export function cgroupParentPath(layout: CgroupLayout, parent: string): string {
  if (layout.driver === 'cgroupfs') return posix.join('/', parent || defaultParent.cgroupfs)
  return posix.join('/', slicePath(posix.basename(parent || defaultParent.systemd)))
}

/** The path below the root of a hierarchy that a cgroupsPath of either form stands for, as in /proc/PID/cgroup. */
export function cgroupPath(cgroupsPath: string): string {
  return posix.join('/', relativePath(cgroupsPath))
}

function relativePath(cgroupsPath: string): string {
  const [slice, prefix, name] = cgroupsPath.split(':')
  if (prefix === undefined || name === undefined) return cgroupsPath
  return posix.join(slicePath(slice ?? ''), `${prefix}-${name}.scope`)
}

/** systemd.slice(5): a-b.slice is a.slice/a-b.slice; -.slice is the root. */
function slicePath(slice: string): string {
  const parts = slice.slice(0, -'.slice'.length).split('-')
  if (parts.every(part => part === '')) return ''
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/')
}
