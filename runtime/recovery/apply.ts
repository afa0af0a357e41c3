import { constants } from 'node:os'
import { join } from 'node:path'
import { type Ctx, detached } from '#base/context'
import { isKind, messageOf } from '#base/errors'
import { removePath } from '#base/files'
import { type ContainerId, type PodId, parseContainerId, parsePodId } from '#base/ids'
import type { ContainerDeps } from '../containers/container-deps.ts'
import {
  deleteLeftContainer,
  removeContainer,
  removeContainerFiles,
  removeRootfs,
} from '../containers/remove-container.ts'
import type { PodDeps } from '../pods/pod-deps.ts'
import { removePod } from '../pods/remove-pod-sandbox.ts'
import { stopPod } from '../pods/stop-pod-sandbox.ts'
import { nextContainerPhase } from '../state/container-machine.ts'
import type { Strays } from './observe.ts'
import type { RecoveryAction } from './plan.ts'

export interface ApplyDeps {
  readonly pods: PodDeps
  readonly containers: ContainerDeps
}

/** One action may take this long; a hung one must not keep the node from coming back. */
const actionTimeoutMs = 120_000

/** What ends has ended before it is removed, containers before their pods, and strays come last. */
const order: readonly (readonly RecoveryAction['do'][])[] = [
  ['watch container', 'record end', 'take back start'],
  ['remove container'],
  ['stop pod', 'remove pod'],
  ['sweep'],
]

/**
 * Carries out a plan, side by side where the order allows. An action that fails is logged and leaves its record, so
 * that the kubelet's Stop and Remove can finish the job; it never stops the start.
 */
export async function apply(ctx: Ctx, deps: ApplyDeps, actions: readonly RecoveryAction[]): Promise<void> {
  for (const kinds of order) {
    const now = actions.filter(action => kinds.includes(action.do))
    await Promise.all(now.map(action => tryOne(ctx, deps, action)))
  }
}

async function tryOne(ctx: Ctx, deps: ApplyDeps, action: RecoveryAction): Promise<void> {
  try {
    await applyOne(detached(ctx, actionTimeoutMs), deps, action)
    if (action.do !== 'sweep') ctx.log.info({ ...action }, 'recovered')
  } catch (err) {
    ctx.log.error({ ...action, err: messageOf(err) }, 'recovery step failed')
  }
}

async function applyOne(ctx: Ctx, deps: ApplyDeps, action: RecoveryAction): Promise<void> {
  switch (action.do) {
    case 'watch container':
      await watchContainer(ctx, deps.containers, action)
      return
    case 'record end':
      await deps.containers.supervisor.record(ctx, action.id, action.state)
      return
    case 'take back start':
      await takeBackStart(ctx, deps.containers, action.id)
      return
    case 'remove container':
      await deps.containers.locks.run(action.id, () => removeContainer(deps.containers, ctx, action.id))
      return
    case 'stop pod':
      await deps.pods.locks.run(action.id, () => stopPod(deps.pods, ctx, action.id))
      return
    case 'remove pod':
      await deps.pods.locks.run(action.id, () => removePod(deps.pods, ctx, action.id))
      return
    case 'sweep':
      await sweep(ctx, deps, action.strays)
      return
  }
}

async function watchContainer(
  ctx: Ctx,
  deps: ContainerDeps,
  { id, pid }: { readonly id: ContainerId; readonly pid: number | undefined },
): Promise<void> {
  if (pid !== undefined) {
    await deps.table.update(id, current => ({
      ...current,
      phase: nextContainerPhase(current, 'started'),
      stage: '',
      pid,
      startedAtNs: current.startedAtNs || deps.clock.now(),
    }))
  }
  try {
    await deps.supervisor.watch(ctx, id)
  } catch (err) {
    if (!isKind(err, 'not-found')) throw err
    // The shim has left since it was observed: it does so when it has told the end and nobody is connected.
    await deps.supervisor.record(ctx, id, undefined)
  }
}

/** A shim that was killed before it could say a word may have left a runtime behind: that goes first. */
async function takeBackStart(ctx: Ctx, deps: ContainerDeps, id: ContainerId): Promise<void> {
  await deleteLeftContainer(deps, ctx, deps.table.resolve(id))
  await deps.table.update(id, current => ({
    ...current,
    phase: nextContainerPhase(current, 'unstarted'),
    stage: '',
  }))
}

/** Removes what carries the name of an object that nobody knows any more. */
async function sweep(ctx: Ctx, deps: ApplyDeps, strays: Strays): Promise<void> {
  await sweepNetworks(ctx, deps.pods, strays.networks)
  const work: { readonly what: string; readonly name: string; readonly run: () => Promise<unknown> }[] = [
    ...strays.sockets.map(name => ({ what: 'shim', name, run: () => endShim(ctx, deps, name) })),
    ...strays.containerDirectories.map(name => ({
      what: 'container',
      name,
      run: () => sweepContainer(ctx, deps, name),
    })),
    ...strays.rootfsKeys.map(name => ({
      what: 'root file system',
      name,
      run: () => sweepContainer(ctx, deps, name),
    })),
    ...strays.podDirectories.map(name => ({
      what: 'pod',
      name,
      run: () => sweepPod(ctx, deps, parsePodId(name)),
    })),
  ]
  for (const { what, name, run } of work) {
    try {
      await run()
      ctx.log.warn({ what, name }, 'swept up what no record knows')
    } catch (err) {
      ctx.log.error({ what, name, err: messageOf(err) }, 'cannot sweep up what no record knows')
    }
  }
}

async function endShim(ctx: Ctx, deps: ApplyDeps, socketPath: string): Promise<void> {
  try {
    await deps.containers.shims.kill(ctx, socketPath, constants.signals.SIGKILL)
  } finally {
    await removePath(socketPath)
  }
}

async function sweepContainer(ctx: Ctx, deps: ApplyDeps, name: string): Promise<void> {
  const id = parseContainerId(name)
  await deps.containers.runtimes.delete(ctx, { handler: '', id })
  await removeRootfs(deps.containers, ctx, id)
  await removeContainerFiles(deps.containers, ctx, id)
}

/** Before the pods' directories: a plugin can undo more while the namespace is pinned there. */
async function sweepNetworks(ctx: Ctx, deps: PodDeps, networks: readonly string[]): Promise<void> {
  if (networks.length === 0) return
  try {
    await deps.network.gc(ctx, new Set(deps.table.all().map(pod => pod.id)))
  } catch (err) {
    ctx.log.error({ networks, err: messageOf(err) }, 'networks that no record knows cannot be released yet')
  }
  for (const id of networks) if (deps.network.isAttached(id)) deps.janitor.add(id)
}

async function sweepPod(ctx: Ctx, deps: ApplyDeps, id: PodId): Promise<void> {
  if (deps.pods.network.isAttached(id)) return // the janitor's
  const paths = deps.pods.paths.pod(id)
  await deps.pods.host.unmount(
    ctx,
    ['net', 'ipc', 'uts', 'pid', 'user', 'shm'].map(name => join(paths.directory, name)),
  )
  await removePath(paths.directory)
}
