import { constants } from 'node:os'
import { join } from 'node:path'
import { type Ctx, detached, orAborted } from '#base/context'
import { isKind } from '#base/errors'
import { pathExists, removePath } from '#base/files'
import type { ContainerId } from '#base/ids'
import { settleAll } from '#base/settle'
import type { ContainerOperations } from '../engine.ts'
import type { Container } from '../model/container.ts'
import { nextContainerPhase } from '../state/container-machine.ts'
import { type ContainerDeps, containerLimits } from './container-deps.ts'
import { containerName } from './container-name.ts'
import { unmountVolumes } from './container-volumes.ts'
import { killContainer, signalContainer } from './kill-container.ts'

/** Kills what runs, removes root file system, files and record. Goes on without its caller. */
export function createRemoveContainer(deps: ContainerDeps): ContainerOperations['remove'] {
  return async (ctx, idOrPrefix) => {
    const container = deps.table.find(idOrPrefix)
    if (!container) return
    const own = detached(ctx, containerLimits.removeTimeoutMs)
    await orAborted(
      ctx,
      deps.locks.run(container.id, () => removeContainer(deps, own, container.id)),
    )
  }
}

/** The caller holds the container's lock. */
export async function removeContainer(deps: ContainerDeps, ctx: Ctx, id: ContainerId): Promise<void> {
  const found = deps.table.get(id)
  if (!found) return
  if (found.phase === 'running') await killContainer(deps, ctx, found)
  deps.makeOnce.withdraw(id)
  const container = await deps.table.update(
    id,
    current => ({
      ...current,
      phase: nextContainerPhase(current, 'remove'),
      stage: 'runtime',
    }),
    { mayOutrunDisk: true },
  )
  // The process is dead: its root file system goes while the OCI runtime cleans up after it.
  await settleAll([awaitDeleted(deps, ctx, container), removeRootfs(deps, ctx, id)])
  await removeContainerFiles(deps, ctx, id)
  await deps.table.remove(id)
  deps.names.release(containerName(container.podId, container.config.metadata), id)
  await deps.plugins.removeContainer(ctx, container)
}

/** Volumes and root file system of a container that has no process any more; absent is fine. */
export async function removeRootfs(deps: ContainerDeps, ctx: Ctx, id: ContainerId): Promise<void> {
  await unmountVolumes(deps, ctx, id) // before the layers that they show
  await deps.images.rootfs.remove(ctx, { key: id, target: deps.paths.container(id).rootfs })
}

/** State directory and socket of a container whose root file system is unmounted; absent is fine. */
export async function removeContainerFiles(deps: ContainerDeps, ctx: Ctx, id: ContainerId): Promise<void> {
  const paths = deps.paths.container(id)
  await Promise.all([deps.host.removeTree(ctx, [paths.directory]), removePath(paths.socket)])
}

/** The shim deletes the container after its end; one that was killed or hangs left that to us. */
async function awaitDeleted(deps: ContainerDeps, ctx: Ctx, container: Container): Promise<void> {
  const wait: Ctx = { signal: AbortSignal.timeout(containerLimits.shimGoneMs), log: ctx.log }
  try {
    await orAborted(wait, deps.supervisor.gone(container.id))
  } catch (err) {
    if (!isKind(err, 'deadline-exceeded')) throw err
  }
  if (await pathExists(join(deps.paths.runtimeRoot, container.id))) {
    ctx.log.warn({ containerId: container.id }, 'shim has not deleted the container, doing it now')
    await deleteLeftContainer(deps, ctx, container)
  }
}

/** Ends every process of a container whose shim cannot be relied on, and what the OCI runtime keeps of it. */
export async function deleteLeftContainer(
  deps: Pick<ContainerDeps, 'runtimes' | 'pods' | 'host' | 'shims' | 'paths'>,
  ctx: Ctx,
  container: Container,
): Promise<void> {
  await signalContainer(deps, ctx, { container, signal: constants.signals.SIGKILL }) // also ends a hung OCI runtime
  const cgroups = container.cgroupsPath === '' ? [] : deps.runtimes.cgroups(container.cgroupsPath)
  if (cgroups.length > 0) await deps.host.killCgroup(ctx, cgroups, constants.signals.SIGKILL)
  const handler = deps.pods.get(container.podId)?.runtimeHandler ?? ''
  await deps.runtimes.delete(ctx, { handler, id: container.id })
  if (cgroups.length > 0) await deps.host.removeCgroup(ctx, cgroups)
}
