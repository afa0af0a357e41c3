import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { readText } from '../../harness/files.ts'
import type { Story, StoryBody } from '../../harness/world.ts'

/** What makes a test of a body: see useWorld. */
export type Stories = (body: StoryBody) => (t: import('node:test').TestContext) => Promise<void>

const unified = '/sys/fs/cgroup'

/** Pid of a container's init on the host. */
export async function initPid(s: Story, containerId: string): Promise<number> {
  const { info } = await s.cri.client.call(rpc.ContainerStatus, { containerId, verbose: true })
  const { pid } = JSON.parse(info['info'] ?? '{}') as { readonly pid?: number }
  if (!pid) throw new Error(`container ${containerId} has no process`)
  return pid
}

/** Directory of the cgroup that the container's init is in, as the kernel says. */
export async function cgroupOf(s: Story, containerId: string): Promise<string> {
  return cgroupOfProcess(await initPid(s, containerId))
}

export async function cgroupOfProcess(pid: number): Promise<string> {
  const text = await readFile(`/proc/${String(pid)}/cgroup`, 'utf8')
  return join(unified, /^0::(.*)$/m.exec(text)?.[1] ?? '')
}

/** A file of a cgroup, without the last line feed; "" if it is gone. */
export async function cgroupText(directory: string, file: string): Promise<string> {
  return (await readText(join(directory, file))).trim()
}

export async function setCgroup(directory: string, file: string, text: string): Promise<void> {
  await writeFile(join(directory, file), text)
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
