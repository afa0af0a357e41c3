import { constants } from 'node:os'
import { type Ctx, detached } from '#base/context'
import { messageOf } from '#base/errors'
import { pathExists, removePath } from '#base/files'
import type { PodId } from '#base/ids'
import { settleAll } from '#base/settle'
import type { Pod } from '../model/pod.ts'
import { type PodDeps, podLimits } from './pod-deps.ts'
import { podAttachment } from './pod-network.ts'

/**
 * Releases what a pod holds: network, namespaces, pause process; absent is fine. A network that cannot be released now
 * is no failure: the janitor goes on with it. Answers whether it is released.
 */
export async function releasePod(deps: PodDeps, ctx: Ctx, pod: Pod): Promise<boolean> {
  const own = detached(ctx, podLimits.teardownTimeoutMs)
  const [isReleased] = await settleAll([releaseNetwork(deps, own, pod), releaseNamespaces(deps, own, pod)])
  return isReleased
}

/** The network namespace stays while something of the network is attached: plugins can undo more while it is there. */
async function releaseNetwork(deps: PodDeps, ctx: Ctx, pod: Pod): Promise<boolean> {
  const pin = deps.paths.pod(pod.id).network
  if (deps.network.isAttached(pod.id)) {
    try {
      const netnsPath = (await pathExists(pin)) ? pin : '' // gone after a reboot: plugins know "" (CNI spec, DEL)
      await deps.network.del(detached(ctx, podLimits.networkTeardownMs), podAttachment(pod, netnsPath))
    } catch (err) {
      ctx.log.error({ podId: pod.id, err: messageOf(err) }, 'network of the pod cannot be released yet')
      deps.janitor.add(pod.id)
      return false
    }
  }
  await deps.host.unmount(ctx, [pin])
  return true
}

async function releaseNamespaces(deps: PodDeps, ctx: Ctx, pod: Pod): Promise<void> {
  const paths = deps.paths.pod(pod.id)
  // By cgroup, not by pid: that also finds one whose pid was never recorded.
  const cgroups = pausesInPod(pod) ? deps.pauseCgroup.directories(pod) : []
  if (cgroups.length > 0) await deps.host.killCgroup(ctx, cgroups, constants.signals.SIGKILL)
  await deps.host.unmount(ctx, [paths.ipc, paths.uts, paths.pid, paths.user, paths.shm])
  if (cgroups.length > 0) await deps.host.removeCgroup(ctx, cgroups)
}

/** Removes the pod's directory, unless its network namespace is still needed there: then the janitor does it later. */
export async function removePodFiles(
  deps: Pick<PodDeps, 'paths' | 'network'>,
  pod: Pick<Pod, 'id'>,
): Promise<void> {
  if (!deps.network.isAttached(pod.id)) await removePath(deps.paths.pod(pod.id).directory)
}

/** What was kept for a network that is now released: the pin, and the directory of a pod that is removed. */
export async function forgetNetwork(
  deps: Pick<PodDeps, 'paths' | 'host' | 'table' | 'locks'>,
  ctx: Ctx,
  id: PodId,
): Promise<void> {
  const paths = deps.paths.pod(id)
  await deps.host.unmount(detached(ctx, podLimits.teardownTimeoutMs), [paths.network])
  await deps.locks.run(id, async () => {
    if (deps.table.get(id)) await deps.table.update(id, pod => ({ ...pod, isNetworkAttached: false }))
    else await removePath(paths.directory)
  })
}

/** A process of our own is PID 1 only where containers share the pod's PID namespace (CRI NamespaceMode POD). */
export function pausesInPod(pod: Pick<Pod, 'config'>): boolean {
  return pod.config.namespaces.pid === 'pod'
}
