import { constants } from 'node:os'
import { type Ctx, detached } from '#base/context'
import { messageOf } from '#base/errors'
import { pathExists, removePath } from '#base/files'
import type { Pod } from '../model/pod.ts'
import { type PodDeps, podLimits } from './pod-deps.ts'
import { podAttachment } from './pod-network.ts'

/**
 * Releases the pod's network. Never fails: what cannot be released now, the janitor goes on with. Answers whether
 * it is released.
 */
export async function detachNetwork(deps: PodDeps, ctx: Ctx, pod: Pod): Promise<boolean> {
  if (!deps.network.isAttached(pod.id)) return true
  try {
    const pin = deps.paths.pod(pod.id).network
    const netnsPath = (await pathExists(pin)) ? pin : '' // gone after a reboot: plugins know "" (CNI spec, DEL)
    await deps.network.del(detached(ctx, podLimits.networkTeardownMs), podAttachment(pod, netnsPath))
    return true
  } catch (err) {
    ctx.log.error({ podId: pod.id, err: messageOf(err) }, 'network of the pod cannot be released yet')
    deps.janitor.add(pod.id)
    return false
  }
}

/** Ends the pause process and unpins the namespaces; absent is fine. */
export async function releaseNamespaces(deps: PodDeps, ctx: Ctx, pod: Pod): Promise<void> {
  const paths = deps.paths.pod(pod.id)
  const own = detached(ctx, podLimits.teardownTimeoutMs)
  // By cgroup, not by pid: that also finds one whose pid was never recorded.
  const cgroups = pausesInPod(pod) ? deps.pauseCgroup.directories(pod) : []
  if (cgroups.length > 0) await deps.host.killCgroup(own, cgroups, constants.signals.SIGKILL)
  await deps.host.unmount(own, [paths.network, paths.ipc, paths.uts, paths.pid, paths.shm])
  if (cgroups.length > 0) await deps.host.removeCgroup(own, cgroups)
}

/** Removes the pod's directory; nothing may be mounted in it any more. */
export function removePodFiles(deps: Pick<PodDeps, 'paths'>, pod: Pick<Pod, 'id'>): Promise<void> {
  return removePath(deps.paths.pod(pod.id).directory)
}

/** A process of our own is PID 1 only where containers share the pod's PID namespace (CRI NamespaceMode POD). */
export function pausesInPod(pod: Pick<Pod, 'config'>): boolean {
  return pod.config.namespaces.pid === 'pod'
}
