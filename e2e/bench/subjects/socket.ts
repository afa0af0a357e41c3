import { runtimeMethods } from '../../../cri/grpc/methods.ts'
import { type Cri, connect } from '../../harness/cri.ts'
import { mustRun } from '../../harness/program.ts'
import { startRegistry } from '../../harness/registry.ts'
import { createScratch, removeScratch } from '../../harness/scratch.ts'
import { benchLabel, type Subject } from './subject.ts'
import { versionOf } from './version.ts'

export interface SocketPeer {
  readonly name: string
  readonly socketPath: string
  readonly image: string | undefined
}

/** A runtime that somebody else runs: nothing of it is changed but the pods of the bench, and the pulled image. */
export async function openSocketPeer(peer: SocketPeer): Promise<Subject> {
  const pid = await daemonPidOf(peer.socketPath)
  const scratch = await createScratch()
  const registry = await startRegistry(scratch)
  const cri = connect(peer.socketPath)
  const label = { [benchLabel]: scratch.networkName }
  const clear = () => removeLabelled(cri, label)
  const release = async (): Promise<void> => {
    cri.close()
    await registry.stop()
    await removeScratch(scratch)
  }
  try {
    const image = peer.image ?? `${registry.host}/e2e/busybox:1`
    await cri.pull(image)
    return {
      ...{ name: peer.name, version: await versionOf(cri), cri, socketPath: peer.socketPath, scratch, image },
      fakeHandler: undefined,
      restart: undefined,
      publish: (name, tag, built) => registry.put(name, tag, built),
      daemonPid: () => Promise.resolve(pid),
      clear,
      async close() {
        await clear()
        if (peer.image === undefined) await cri.removeImage(image)
        await release()
      },
    }
  } catch (err) {
    await release()
    throw err
  }
}

async function removeLabelled(cri: Cri, labelSelector: Readonly<{ [name: string]: string }>): Promise<void> {
  const { items } = await cri.client.call(runtimeMethods.ListPodSandbox, { filter: { labelSelector } })
  for (const { id } of items) {
    await cri.stopPod(id ?? '')
    await cri.removePod(id ?? '')
  }
}

/** Who listens on a unix socket. A name that ends with "~" is of one that was renamed after it was bound. */
async function daemonPidOf(socketPath: string): Promise<number> {
  const lines = (await mustRun(['ss', '-xlpnH'])).split('\n').map(line => line.trim().split(/\s+/))
  const line = lines.find(words => words.includes(socketPath) || words.includes(`${socketPath}~`))
  const pid = Number(/pid=(\d+)/.exec(line?.join(' ') ?? '')?.[1])
  if (Number.isNaN(pid)) throw new Error(`nobody listens on ${socketPath}: start the runtime first`)
  return pid
}
