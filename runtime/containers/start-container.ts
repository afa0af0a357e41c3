import { type Ctx, detached, orAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import type { ContainerId } from '#base/ids'
import type { ShimSpec, ShimState } from '#shim/shim'
import type { ContainerOperations } from '../engine.ts'
import { hostOwner, userMappings } from '../host/id-mappings.ts'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { nextContainerPhase } from '../state/container-machine.ts'
import type { ContainerDeps } from './container-deps.ts'

/**
 * Starts a created container: one shim, which runs the OCI runtime once. A container that cannot be started ends
 * with exit code 128 and reason StartError, and the call fails. Goes on without its caller.
 */
export function createStartContainer(deps: ContainerDeps): ContainerOperations['start'] {
  return async (ctx, idOrPrefix) => {
    const { id } = deps.table.resolve(idOrPrefix)
    const own = detached(ctx, deps.limits.runtimeTimeoutMs)
    await orAborted(
      ctx,
      deps.locks.run(id, () => startContainer(deps, own, id)),
    )
  }
}

async function startContainer(deps: ContainerDeps, ctx: Ctx, id: ContainerId): Promise<void> {
  const created = deps.table.resolve(id)
  nextContainerPhase(created, 'start')
  const pod = deps.pods.resolve(created.podId)
  if (pod.phase !== 'ready') {
    throw new RuntimeError(
      'failed-precondition',
      `pod sandbox "${pod.id}" is ${pod.phase}: cannot start "${id}" in it`,
    )
  }
  deps.makeOnce.withdraw(id)
  await deps.table.update(id, current => ({
    ...current,
    phase: nextContainerPhase(current, 'start'),
    stage: 'runtime',
  }))
  const state = await launch(deps, ctx, { container: created, pod })
  if (state.kind === 'failed') throw await startError(deps, created, state.message)
  const started = await deps.table.update(id, current => {
    const startedAtNs = deps.clock.now()
    // It may have ended already: then only the time of its start is news.
    if (current.phase !== 'starting')
      return { ...current, startedAtNs: min(startedAtNs, current.finishedAtNs) }
    const pid = state.kind === 'running' ? state.pid : undefined
    return { ...current, phase: nextContainerPhase(current, 'started'), stage: '', startedAtNs, pid }
  })
  if (created.checkpointImages !== undefined) await deps.host.removeTree(ctx, [created.checkpointImages])
  await deps.plugins.containerStarted(ctx, started)
}

/** The state that the start led to; what went wrong before the shim could tell is an end, too. */
async function launch(
  deps: ContainerDeps,
  ctx: Ctx,
  { container, pod }: { readonly container: Container; readonly pod: Pod },
): Promise<ShimState> {
  try {
    const { path } = await deps.runtimes.find(ctx, pod.runtimeHandler)
    await deps.plugins.startContainer(ctx, container)
    const { checkpointImages: imagesPath } = container
    const restore =
      imagesPath === undefined
        ? undefined
        : { imagesPath, criuDirectory: await deps.checkpoints.criuDirectory(ctx) }
    await deps.shims.launch(ctx, { ...shimSpec(deps, container, path), restore })
    return await orAborted(ctx, deps.supervisor.watch(ctx, container.id))
  } catch (err) {
    const failure = withContext(`cannot start container "${container.id}"`, err)
    await deps.supervisor.abandon(ctx, container.id, failure.message)
    throw failure
  }
}

/** Of a restore, what the OCI runtime says is that CRIU failed; why, CRIU has written down. */
async function startError(deps: ContainerDeps, container: Container, message: string): Promise<RuntimeError> {
  const { bundle } = deps.paths.container(container.id)
  const isRestore = container.checkpointImages !== undefined
  const reason = (isRestore && (await deps.checkpoints.restoreErrors(bundle))) || message
  return new RuntimeError('failed-precondition', `cannot start container "${container.id}": ${reason}`)
}

function shimSpec(deps: ContainerDeps, container: Container, runtimePath: string): ShimSpec {
  const paths = deps.paths.container(container.id)
  const mappings = userMappings(deps.pods.resolve(container.podId).config.namespaces)
  return {
    id: container.id,
    bundlePath: paths.bundle,
    runtimePath,
    runtimeRoot: deps.paths.runtimeRoot,
    socketPath: paths.socket,
    exitPath: paths.exitFile,
    pidPath: paths.pidFile,
    logPath: container.logPath || undefined,
    oomPath: deps.runtimes.oomPath(container.cgroupsPath),
    ioOwner: mappings && hostOwner(mappings),
    hasTty: container.config.hasTty,
    hasStdin: container.config.hasStdin,
    isStdinOnce: container.config.isStdinOnce,
    hasSystemdCgroup: deps.runtimes.hasSystemdCgroup,
  }
}

function min(a: bigint, b: bigint): bigint {
  return b !== 0n && b < a ? b : a
}
