import { type Ctx, detached, orAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import type { ContainerId } from '#base/ids'
import type { ContainerOperations } from '../engine.ts'
import type { Container } from '../model/container.ts'
import type { LinuxResources } from '../model/linux.ts'
import { mergeResources } from '../oci/merge-resources.ts'
import type { ContainerDeps } from './container-deps.ts'

/**
 * Changes the limits of a created or running container; plugins may change the change. The kernel has them first,
 * then the bundle, then the record: what is reported is in force. Goes on without its caller.
 */
export function createUpdateContainerResources(deps: ContainerDeps): ContainerOperations['updateResources'] {
  return async (ctx, input) => {
    const { id } = deps.table.resolve(input.id)
    const own = detached(ctx, deps.limits.runtimeTimeoutMs)
    await orAborted(
      ctx,
      deps.locks.run(id, () => updateResources(deps, own, { id, change: input.resources })),
    )
  }
}

async function updateResources(
  deps: ContainerDeps,
  ctx: Ctx,
  { id, change }: { readonly id: ContainerId; readonly change: LinuxResources },
): Promise<void> {
  const container = changeable(deps, id)
  const resources = await deps.plugins.updateContainer(ctx, { container, resources: change })
  await changeResources(deps, ctx, { id, change: resources })
  await deps.plugins.containerUpdated(ctx, deps.table.resolve(id))
}

function changeable(deps: ContainerDeps, id: ContainerId): Container {
  const container = deps.table.resolve(id)
  if (container.phase !== 'created' && container.phase !== 'running') {
    throw new RuntimeError(
      'failed-precondition',
      `container "${id}" is ${container.phase}: its resources cannot be changed`,
    )
  }
  return container
}

/** The same without asking plugins. The caller holds the container's lock. */
export async function changeResources(
  deps: ContainerDeps,
  ctx: Ctx,
  { id, change }: { readonly id: ContainerId; readonly change: LinuxResources },
): Promise<void> {
  const container = changeable(deps, id)
  const isRunning = container.phase === 'running'
  // The processes of a running container keep the OOM score that they have.
  const applicable = isRunning ? { ...change, oomScoreAdj: 0 } : change
  const resources = mergeResources(container.resources, applicable)
  const update = { bundlePath: deps.paths.container(id).bundle, resources }
  try {
    const spec = await deps.bundles.plannedResources(update)
    if (isRunning) {
      const handler = deps.pods.resolve(container.podId).runtimeHandler
      const { cgroupsPath } = container
      const { hugepageLimits } = change
      await deps.runtimes.update(ctx, { handler, id, cgroupsPath, resources: spec, hugepageLimits })
    }
    await deps.bundles.updateResources(update)
  } catch (err) {
    throw withContext(`cannot change the resources of container "${id}"`, err)
  }
  await deps.table.update(id, current => ({ ...current, resources }), { mayOutrunDisk: true })
}
