import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { containerState } from '../harness/configs.ts'
import { listDirectory } from '../harness/files.ts'
import { freePort } from '../harness/http.ts'
import { closeWorld, openWorld, removePods, type World, type WorldOptions } from '../harness/world.ts'
import { type Kubelet, type KubeletOptions, kubeletDir, startKubelet } from './kubelet.ts'
import { addNodeAddress, clearKubelet } from './node.ts'
import { until } from './until.ts'

/** A world whose lighterd works for a kubelet. */
export interface NodeWorld {
  readonly world: World
  /** The address of the node, which is not loopback. */
  readonly address: string
  /** The one that runs, or ran last. */
  kubelet(): Kubelet
  /** Starts the kubelet again, with other settings. */
  restartKubelet(config?: KubeletOptions['config']): Promise<void>
}

const goneTimeoutMs = 60_000

/** The node with nothing on it. The caller closes it. */
export async function openNodeWorld(
  options: WorldOptions,
  kubeletOptions: (world: World) => Promise<Omit<KubeletOptions, 'port'>>,
): Promise<NodeWorld> {
  const world = await openWorld({ logLevel: 'info', ...options })
  let kubelet: Kubelet | undefined
  try {
    await world.cri.pull(world.registry.webServer)
    const address = await addNodeAddress(world.scratch)
    await world.auditor.baseline()
    const port = await freePort()
    const { config, flags = [] } = await kubeletOptions(world)
    const start = (more: KubeletOptions['config'] = {}): Promise<Kubelet> =>
      startKubelet(world.scratch, {
        port,
        config: { ...config, ...more },
        flags: [...flags, '--node-ip', address],
      })
    kubelet = await start()
    return {
      world,
      address,
      kubelet: () => running(kubelet),
      async restartKubelet(more) {
        await kubelet?.service.stop()
        kubelet = await start(more)
      },
    }
  } catch (err) {
    await kubelet?.service.stop()
    await clearKubelet(world.scratch)
    await closeWorld(world)
    throw err
  }
}

function running(kubelet: Kubelet | undefined): Kubelet {
  if (!kubelet) throw new Error('the kubelet was never started')
  return kubelet
}

export interface CloseOptions {
  /** What runs on the node without being part of it; stopped between the kubelet and the daemon. */
  readonly stopOthers?: () => Promise<void>
  /** Images that were there before. */
  readonly images: readonly string[]
}

/** Takes everything down, and then fails if the kubelet or lighterd left anything over. */
export async function closeNodeWorld(node: NodeWorld, { stopOthers, images }: CloseOptions): Promise<void> {
  const { world } = node
  const errors: unknown[] = []
  const attempt = (step: () => Promise<void>): Promise<void> =>
    step().catch((err: unknown) => {
      errors.push(err)
    })
  await attempt(() => removeStaticPods(node))
  await node.kubelet().service.stop()
  if (stopOthers) await attempt(stopOthers)
  await attempt(async () => {
    if (!world.daemon.isRunning()) await world.daemon.start()
    await removePods(world.cri)
    for (const id of await world.cri.listImages()) {
      if (!images.includes(id)) await world.cri.removeImage(id)
    }
  })
  await attempt(() => keepLogs(world))
  await clearKubelet(world.scratch)
  await attempt(() => world.auditor.assertNothingLeft())
  await closeWorld(world)
  if (errors.length > 0) throw errors[0]
}

/** For those who look for the cause of a failure: the logs of all programs, in the directory that LIGHTER_E2E_KEEP names. */
async function keepLogs({ scratch }: World): Promise<void> {
  const keep = process.env['LIGHTER_E2E_KEEP']
  if (keep === undefined) return
  const target = join(keep, scratch.networkName)
  await mkdir(target, { recursive: true })
  for (const dir of [scratch.dir, kubeletDir(scratch), join(scratch.dir, 'cluster')]) {
    for (const name of await listDirectory(dir)) {
      if (name.endsWith('.log')) await cp(join(dir, name), join(target, name))
    }
  }
}

/** Writes a pod for the kubelet to run. */
export async function writeStaticPod(node: NodeWorld, name: string, pod: object): Promise<void> {
  await writeFile(join(node.kubelet().manifestDir, `${name}.json`), JSON.stringify(pod, null, 2))
}

/** Takes the static pods away from the kubelet and waits until it has removed them. */
async function removeStaticPods(node: NodeWorld): Promise<void> {
  const { manifestDir } = node.kubelet()
  for (const name of await listDirectory(manifestDir)) await rm(join(manifestDir, name))
  await until('the kubelet has stopped all containers', {
    ask: async () => {
      const ids = await node.world.cri.listContainers()
      return Promise.all(ids.map(async id => (await node.world.cri.containerStatus(id)).state))
    },
    accept: states => states.every(state => state === containerState.CONTAINER_EXITED),
    timeoutMs: goneTimeoutMs,
  })
}
