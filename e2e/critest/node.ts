import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../harness/eventually.ts'
import { listDirectory, readText } from '../harness/files.ts'
import { mustRun } from '../harness/program.ts'
import { cgroupDirs, type Scratch } from '../harness/scratch.ts'
import type { World } from '../harness/world.ts'
import { createTestImages, writeMirrors } from './test-images.ts'

/** Of the segments that the suite makes and forgets. */
const segmentBytes = '1048576'
/** Parent of the pods that name no cgroup, as those of the suite. */
const defaultCgroup = '/lighter'
const cgroupTimeoutMs = 15_000

/**
 * Puts the images of the suite into the world's registry and shows the daemon the way to them. Answers the digest of
 * test-image-digest.
 */
export async function prepareForSuite({ scratch, registry }: World): Promise<string> {
  const digest = await createTestImages(registry)
  await writeMirrors(scratch.certsDir, registry.host)
  return digest
}

/** Where plugins of this world connect. */
export function nriSocketPath(scratch: Scratch): string {
  return join(scratch.dir, 'nri.sock')
}

/** Writes a configuration with NRI for the world, below `config`; answers the flags that make a daemon use it. */
export async function configureNri(scratch: Scratch, config = ''): Promise<readonly string[]> {
  const nri = {
    enabled: true,
    socketPath: nriSocketPath(scratch),
    pluginDir: join(scratch.dir, 'nri-plugins'),
    configDir: join(scratch.dir, 'nri-conf.d'),
  }
  const path = join(scratch.dir, 'nri.yaml')
  await writeFile(path, `${config}\nnri: ${JSON.stringify(nri)}\n`)
  return ['--config', path]
}

/** Runs `body`, waits until its cgroups are gone, and takes away what the suite itself leaves behind. */
export async function withSuiteNode<T>(body: () => Promise<T>): Promise<T> {
  const [segments, cgroups] = await Promise.all([forgottenSegments(), podCgroups()])
  try {
    const result = await body()
    await eventually(
      'the cgroups of the suite are gone',
      async () => (await podCgroups()).every(path => cgroups.includes(path)),
      cgroupTimeoutMs,
    )
    return result
  } finally {
    for (const id of await forgottenSegments()) {
      if (!segments.includes(id)) await mustRun(['ipcrm', '-m', id])
    }
  }
}

/** Ids of shared memory segments as the suite makes them, with no process attached. */
async function forgottenSegments(): Promise<readonly string[]> {
  const lines = (await readText('/proc/sysvipc/shm')).split('\n').map(line => line.trim().split(/\s+/))
  return lines
    .filter(([, , , bytes, , , users]) => bytes === segmentBytes && users === '0')
    .map(([, id]) => id ?? '')
}

async function podCgroups(): Promise<readonly string[]> {
  const dirs = await cgroupDirs(defaultCgroup)
  const names = await Promise.all(
    dirs.map(async dir => (await listDirectory(dir)).filter(name => /^[0-9a-f]{64}$/.test(name))),
  )
  return names.flatMap((found, index) => found.map(name => `${dirs[index] ?? ''}/${name}`))
}
