import { readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { listDirectory, readText } from '../harness/files.ts'
import { mustRun, runProgram } from '../harness/program.ts'
import { cgroupDirs, type Scratch } from '../harness/scratch.ts'
import { kubeletDir } from './kubelet.ts'

/** The kubelet's links to the logs of all containers, for collectors of logs; the place is not configurable. */
const containerLogsDir = '/var/log/containers'

/** Gives the node an address of its own, since a kubelet refuses loopback: that of the bridge of its pods. */
export async function addNodeAddress(scratch: Scratch): Promise<string> {
  const address = `${scratch.subnet}.1`
  await mustRun(['ip', 'link', 'add', scratch.bridge, 'type', 'bridge'])
  await mustRun(['ip', 'address', 'add', `${address}/24`, 'dev', scratch.bridge])
  await mustRun(['ip', 'link', 'set', scratch.bridge, 'up'])
  return address
}

/** Takes away what a kubelet leaves on a node when it is stopped: volumes, cgroups, links. */
export async function clearKubelet(scratch: Scratch): Promise<void> {
  const dir = kubeletDir(scratch)
  const mountinfo = await readText('/proc/self/mountinfo')
  const mounts = mountinfo.split('\n').map(line => line.split(' ')[4] ?? '')
  for (const path of mounts.reverse()) {
    if (path.startsWith(`${dir}/`)) await runProgram(['umount', '-l', path])
  }
  for (const path of await cgroupDirs(join(scratch.cgroupParent, 'kubepods'))) {
    await runProgram(['find', path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
  }
  for (const name of await listDirectory(containerLogsDir)) {
    const link = join(containerLogsDir, name)
    const target = await readlink(link).catch(() => '')
    if (target.startsWith(`${dir}/`)) await rm(link, { force: true })
  }
  await rm(dir, { recursive: true, force: true })
}
