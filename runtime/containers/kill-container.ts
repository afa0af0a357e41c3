import { constants } from 'node:os'
import { type Ctx, orAborted } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import type { Container } from '../model/container.ts'
import { type ContainerDeps, containerLimits } from './container-deps.ts'

/**
 * Sends a signal to the container's init through its shim, which alone knows that the pid is still this one. A shim
 * that is gone is fine: the supervisor is about to record the end.
 */
export async function signalContainer(
  deps: Pick<ContainerDeps, 'shims' | 'paths'>,
  ctx: Ctx,
  { container, signal }: { readonly container: Container; readonly signal: number },
): Promise<void> {
  try {
    await deps.shims.kill(ctx, deps.paths.container(container.id).socket, signal)
  } catch (err) {
    if (!isKind(err, 'not-found')) throw err
  }
}

/** Mode `pod` means what the pod has: its own pause process, or nothing shared at all. */
function sharesPidNamespace(deps: Pick<ContainerDeps, 'pods'>, container: Container): boolean {
  const { pid } = container.config.security.namespaces
  if (pid !== 'pod') return pid !== 'container'
  return deps.pods.get(container.podId)?.config.namespaces.pid !== 'container'
}

/**
 * Kills every process of a running container and waits until its end is recorded. Errors: `deadline-exceeded`
 * when a process is stuck in the kernel.
 */
export async function killContainer(deps: ContainerDeps, ctx: Ctx, container: Container): Promise<void> {
  await signalContainer(deps, ctx, { container, signal: constants.signals.SIGKILL })
  // In its own PID namespace everything dies with init; in a shared one the others have to be found.
  if (sharesPidNamespace(deps, container)) {
    await deps.host.killCgroup(ctx, deps.runtimes.cgroups(container.cgroupsPath), constants.signals.SIGKILL)
  }
  const signal = AbortSignal.timeout(containerLimits.killTimeoutMs)
  try {
    await orAborted({ signal, log: ctx.log }, deps.supervisor.ended(container.id))
  } catch (err) {
    const seconds = containerLimits.killTimeoutMs / 1000
    throw new RuntimeError(
      'deadline-exceeded',
      `container "${container.id}" (pid ${String(container.pid)}) does not die: ${seconds} s after SIGKILL it still hangs in the kernel`,
      { cause: err },
    )
  }
}
