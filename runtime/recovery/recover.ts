import type { Ctx } from '#base/context'
import type { ReadExitFile } from '#shim/shim'
import { containerName } from '../containers/container-name.ts'
import { podName } from '../pods/pod-name.ts'
import { type ApplyDeps, apply } from './apply.ts'
import { observe } from './observe.ts'
import { plan } from './plan.ts'

export interface RecoverDeps extends ApplyDeps {
  readonly readExitFile: ReadExitFile
}

/** Start after whatever happened: loads the records, looks at the world, and makes the two agree. */
export async function recover(ctx: Ctx, deps: RecoverDeps): Promise<void> {
  const { pods, containers } = deps
  await Promise.all([pods.table.load(), containers.table.load()])
  for (const pod of pods.table.all()) pods.names.reserve(podName(pod.config.metadata), pod.id)
  for (const one of containers.table.all()) {
    containers.names.reserve(containerName(one.podId, one.config.metadata), one.id)
  }
  const observation = await observe(ctx, {
    pods: pods.table.all(),
    containers: containers.table.all(),
    paths: pods.paths,
    host: pods.host,
    shims: containers.shims,
    readExitFile: deps.readExitFile,
    rootfs: containers.images.rootfs,
    network: pods.network,
  })
  await apply(ctx, deps, plan(observation))
  offerUnclaimed(deps)
}

/** The answer to a Run or Create may have died with the former daemon: an identical retry gets its object. */
function offerUnclaimed({ pods, containers }: ApplyDeps): void {
  const used = new Set<string>()
  for (const one of containers.table.all()) {
    used.add(one.podId)
    if (one.phase !== 'created') continue
    const name = containerName(one.podId, one.config.metadata)
    containers.makeOnce.offer({ name, input: one.config }, one.id)
  }
  for (const pod of pods.table.all()) {
    if (pod.phase !== 'ready' || used.has(pod.id)) continue
    const input = { config: pod.config, runtimeHandler: pod.runtimeHandler }
    pods.makeOnce.offer({ name: podName(pod.config.metadata), input }, pod.id)
  }
}
