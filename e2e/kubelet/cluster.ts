import { join } from 'node:path'
import type { KubernetesObject } from '@kubernetes/client-node'
import { type ProgramOutcome, runProgram } from '../harness/program.ts'
import type { World, WorldOptions } from '../harness/world.ts'
import { type Api, createApi, namespace } from './api.ts'
import { kubeBinary } from './binaries.ts'
import { type ControlPlane, startControlPlane } from './control-plane.ts'
import { nodeName } from './kubelet.ts'
import { createManifests, type Manifests } from './manifests.ts'
import { closeNodeWorld, type NodeWorld, openNodeWorld } from './node-world.ts'
import { until } from './until.ts'

/** A whole Kubernetes with one node, on which lighterd runs the pods. */
export interface Cluster {
  readonly node: NodeWorld
  readonly world: World
  readonly api: Api
  readonly make: Manifests
  readonly kubectl: Kubectl
  /** From the start of the kubelet until the node was ready. */
  readonly readyMs: number
  /** Stops everything, and fails if anything is left over. */
  close(): Promise<void>
}

export interface Kubectl {
  /** Must succeed; answers standard output. */
  (...args: readonly string[]): Promise<string>
  /** The command line, for those who run it themselves. */
  argv(...args: readonly string[]): readonly string[]
  attempt(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<ProgramOutcome>
}

/** A cluster as one story sees it: what the story makes is removed at its end. */
export interface ClusterStory extends Cluster {
  create(...objects: readonly KubernetesObject[]): Promise<void>
}

export type StoryBody = (story: ClusterStory) => Promise<void>
/** Names and bodies. */
export type Stories = readonly (readonly [string, StoryBody])[]

export interface ClusterOptions {
  readonly world?: WorldOptions
  /** More of the kubelet's configuration. */
  readonly kubelet?: Readonly<Record<string, unknown>>
}

/** The caller closes it. */
export async function openCluster({ world: worldOptions, kubelet }: ClusterOptions = {}): Promise<Cluster> {
  let plane: ControlPlane | undefined
  let startedMs = 0
  const node = await openNodeWorld(worldOptions ?? {}, async ({ scratch }) => {
    plane = await startControlPlane(join(scratch.dir, 'cluster'))
    startedMs = Date.now()
    return {
      flags: ['--kubeconfig', plane.pki.kubeletKubeconfig],
      config: {
        authentication: {
          anonymous: { enabled: true },
          webhook: { enabled: false },
          x509: { clientCAFile: plane.pki.ca },
        },
        ...kubelet,
      },
    }
  }).catch(async (err: unknown) => {
    await plane?.stop()
    throw err
  })
  const images = await node.world.cri.listImages()
  const kubeconfig = plane?.pki.adminKubeconfig ?? ''
  const kubectl = createKubectl(kubeconfig)
  const close = async (): Promise<void> => {
    await kubectl.attempt(['delete', 'deployments,pods', '--all', '--grace-period', '1', '--timeout', '60s'])
    await closeNodeWorld(node, { images, stopOthers: () => plane?.stop() ?? Promise.resolve() })
  }
  try {
    const api = await createApi(kubeconfig)
    await untilNodeReady(api)
    const readyMs = Date.now() - startedMs
    await until('pods may be made', {
      ask: () => api.core.readNamespacedServiceAccount({ name: 'default', namespace }),
      accept: () => true,
    })
    const { world } = node
    const make = createManifests(world.registry.busybox)
    return { node, world, api, make, kubectl, readyMs, close }
  } catch (err) {
    await close().catch(() => undefined)
    throw err
  }
}

/** Runs a story and removes what it made. */
export async function tellStory(cluster: Cluster, body: StoryBody): Promise<void> {
  const made: KubernetesObject[] = []
  try {
    await body({
      ...cluster,
      async create(...objects) {
        for (const object of objects) {
          made.unshift(object)
          await cluster.api.create(object)
        }
      },
    })
  } finally {
    for (const object of made) await cluster.api.remove(object)
  }
}

/** Since when the node is ready; undefined if it is not. */
export async function readySince(api: Api): Promise<Date | undefined> {
  const { status } = await api.core.readNode({ name: nodeName })
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return ready?.status === 'True' ? ready.lastTransitionTime : undefined
}

async function untilNodeReady(api: Api): Promise<void> {
  await until('the node is ready', { ask: () => readySince(api), accept: since => since !== undefined })
}

function createKubectl(kubeconfig: string): Kubectl {
  const argv: Kubectl['argv'] = (...args) => [kubeBinary('kubectl'), '--kubeconfig', kubeconfig, ...args]
  const attempt: Kubectl['attempt'] = (args, env = {}) => runProgram(argv(...args), { env })
  const run = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await attempt(args)
    if (exitCode !== 0) {
      throw new Error(`kubectl ${args.join(' ')}: exit code ${String(exitCode)}\n${stdout}${stderr}`)
    }
    return stdout
  }
  return Object.assign(run, { attempt, argv })
}
