import { type Ctx, detached, throwIfAborted } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import { makeDirectory } from '#base/files'
import type { PodId } from '#base/ids'
import { settleAll } from '#base/settle'
import { createUndoStack, type UndoStack } from '#base/undo-stack'
import { type IdMappings, namespaceFlags } from '#shim/host'
import type { PodOperations } from '../engine.ts'
import { podHostname } from '../host/hostname.ts'
import { userMappings } from '../host/id-mappings.ts'
import type { Owner, Pod, PodConfig } from '../model/pod.ts'
import type { Making } from '../state/make-once.ts'
import { nextPodPhase } from '../state/pod-machine.ts'
import { type PodDeps, podLimits } from './pod-deps.ts'
import { writePodFiles, writePodHosts } from './pod-files.ts'
import { podName } from './pod-name.ts'
import { podAttachment } from './pod-network.ts'
import { podSysctls } from './sysctls.ts'
import { pausesInPod, releasePod, removePodFiles } from './teardown-pod.ts'

/** Size of a pod's /dev/shm, as both peers have it. */
const shmBytes = 64 * 1024 * 1024

interface RunPodInput {
  readonly config: PodConfig
  readonly runtimeHandler: string
}

/**
 * Makes a pod sandbox: record, namespaces and files side by side, network. The work goes on when the caller gives
 * up; its identical retry joins it, or gets what it made.
 */
export function createRunPodSandbox(deps: PodDeps, owner: Owner): PodOperations['run'] {
  return async (ctx, input) => {
    checkInput(deps, input)
    await deps.requireRuntimeHandler(ctx, input.runtimeHandler)
    if (userMappings(input.config.namespaces)) await requireUserNamespaces(deps, ctx, input)
    const request = { name: podName(input.config.metadata), input }
    return deps.makeOnce.make(ctx, request, making => {
      const pod = newPod(deps, owner, input)
      deps.pauseCgroup.directories(pod) // a cgroup parent that cannot be one is refused here, not by its first container
      const own = detached(ctx, podLimits.runTimeoutMs)
      making.begun(pod.id)
      return deps.locks.run(pod.id, () => makePod(deps, own, { pod, making }))
    })
  }
}

async function makePod(
  deps: PodDeps,
  ctx: Ctx,
  { pod, making }: { readonly pod: Pod; readonly making: Making<PodId> },
): Promise<PodId> {
  const undo = createUndoStack(ctx.log)
  try {
    const name = podName(pod.config.metadata)
    deps.names.reserve(name, pod.id)
    undo.push('release pod name', () => {
      deps.names.release(name, pod.id)
    })
    await deps.table.insert(pod)
    undo.push('forget record', () => deps.table.remove(pod.id))
    const pausePid = await makeNamespaces(deps, ctx, { pod, undo })
    const ips = await attachNetwork(deps, ctx, pod)
    await writePodHosts(deps, pod, ips)
    throwIfAborted(ctx)
    deps.table.setStage(pod.id, 'plugins')
    await deps.plugins.runPod(ctx, { ...pod, network: { ips }, pausePid }, async () => {
      await deps.table.update(pod.id, current => ({
        ...current,
        phase: nextPodPhase(current, 'made'),
        stage: '',
        network: { ips },
        pausePid,
      }))
    })
    undo.commit()
    return pod.id
  } catch (err) {
    making.undoing()
    const stage = deps.table.get(pod.id)?.stage ?? 'record'
    await undoAll(deps, pod, undo)
    throw withContext(`cannot run pod sandbox "${pod.config.metadata.name}" (${stage})`, err)
  }
}

async function makeNamespaces(
  deps: PodDeps,
  ctx: Ctx,
  { pod, undo }: { readonly pod: Pod; readonly undo: UndoStack },
): Promise<number | undefined> {
  deps.table.setStage(pod.id, 'namespaces and files')
  undo.push('remove files', () => removePodFiles(deps, pod))
  await makeDirectory(deps.paths.pod(pod.id).directory, 0o755)
  // Pushed before anything of it is there: the namespaces, and ADD, may half-succeed.
  undo.push('release network and namespaces', undoCtx => releasePod(deps, undoCtx, pod))
  const [pausePid] = await settleAll([createNamespaces(deps, ctx, pod), writePodFiles(deps, pod)])
  if (pausePid !== undefined) await deps.table.update(pod.id, current => ({ ...current, pausePid }))
  return pausePid
}

async function createNamespaces(deps: PodDeps, ctx: Ctx, pod: Pod): Promise<number | undefined> {
  const { namespaces } = pod.config
  const hasNetwork = namespaces.network === 'pod'
  const hasIpc = namespaces.ipc === 'pod'
  const hasPause = pausesInPod(pod)
  const idMappings = userMappings(namespaces)
  const flags =
    (idMappings ? namespaceFlags.user : 0) |
    (hasNetwork ? namespaceFlags.network | namespaceFlags.uts : 0) |
    (hasIpc ? namespaceFlags.ipc : 0) |
    (hasPause ? namespaceFlags.pid : 0)
  if (flags === 0) return undefined
  const pauseCgroups = hasPause ? await deps.pauseCgroup.make(pod) : []
  return deps.host.createSandbox(ctx, {
    directory: deps.paths.pod(pod.id).directory,
    flags,
    ...(idMappings ? { idMappings } : {}),
    ...(hasNetwork ? { hostname: podHostname(pod) } : {}),
    sysctls: podSysctls(pod.config),
    shmBytes: hasIpc ? shmBytes : 0,
    ...(hasPause ? { pauseProgram: deps.pauseProgram } : {}),
    pauseCgroups,
  })
}

async function attachNetwork(deps: PodDeps, ctx: Ctx, pod: Pod): Promise<readonly string[]> {
  if (pod.config.namespaces.network !== 'pod') return []
  deps.table.setStage(pod.id, 'network')
  const result = await deps.network.add(ctx, podAttachment(pod, deps.paths.pod(pod.id).network))
  return result.ips
}

/** If a step back fails, the record stays, not ready, so that StopPodSandbox can finish the job. */
async function undoAll(deps: PodDeps, pod: Pod, undo: UndoStack): Promise<void> {
  const failed = await undo.run()
  if (failed.length === 0 || failed.includes('release pod name')) return
  const left: Pod = { ...pod, phase: nextPodPhase(pod, 'abandoned'), stage: failed.join(', ') }
  deps.names.reserve(podName(pod.config.metadata), pod.id)
  if (deps.table.get(pod.id)) await deps.table.update(pod.id, () => left)
  else await deps.table.insert(left)
}

function checkInput(deps: PodDeps, { config, runtimeHandler }: RunPodInput): void {
  const { name, namespace } = config.metadata
  if (!deps.hasRuntimeHandler(runtimeHandler)) {
    throw new RuntimeError(
      'not-found',
      `runtime handler "${runtimeHandler}" is not configured (pod "${namespace}/${name}")`,
    )
  }
  if (Buffer.byteLength(config.hostname) > podLimits.hostnameBytes) {
    throw new RuntimeError(
      'invalid-argument',
      `hostname "${config.hostname}" has more than ${podLimits.hostnameBytes} bytes`,
    )
  }
  checkNamespaces(config)
  podSysctls(config)
}

function checkNamespaces({ metadata, namespaces }: PodConfig): void {
  const pod = `pod "${metadata.namespace}/${metadata.name}"`
  const userMode = namespaces.user?.mode ?? 'node'
  if (userMode !== 'pod' && userMode !== 'node') {
    throw new RuntimeError('invalid-argument', `${pod}: user namespace mode ${userMode} is not for a pod`)
  }
  const mappings = userMappings(namespaces)
  if (mappings) checkMappings(pod, mappings)
  for (const kind of ['network', 'ipc'] as const) {
    if (namespaces[kind] !== 'pod' && namespaces[kind] !== 'node') {
      throw new RuntimeError(
        'invalid-argument',
        `${pod}: ${kind} namespace mode ${namespaces[kind]} is not for a pod`,
      )
    }
  }
  if (namespaces.pid === 'target') {
    throw new RuntimeError('invalid-argument', `${pod}: pid namespace mode target is for containers only`)
  }
  for (const kind of ['ipc', 'pid'] as const) {
    if (mappings && namespaces[kind] === 'node') {
      throw new RuntimeError(
        'invalid-argument',
        `${pod}: a pod with a user namespace cannot have the host's ${kind} namespace`,
      )
    }
  }
}

/** One idmapped mount stands for one mapping, and every container needs a root. */
function checkMappings(pod: string, mappings: IdMappings): void {
  for (const kind of ['uids', 'gids'] as const) {
    const [first, ...others] = mappings[kind]
    if (first?.containerId === 0 && first.length > 0 && others.length === 0) continue
    throw new RuntimeError(
      'invalid-argument',
      `${pod}: userns_options.${kind} must be exactly one mapping, from container id 0`,
    )
  }
}

async function requireUserNamespaces(
  deps: PodDeps,
  ctx: Ctx,
  { config, runtimeHandler }: RunPodInput,
): Promise<void> {
  const problem = await deps.userNamespaces.problem(ctx, runtimeHandler)
  if (problem === '') return
  const { name, namespace } = config.metadata
  throw new RuntimeError(
    'failed-precondition',
    `pod "${namespace}/${name}": user namespaces are not possible on this node: ${problem}`,
  )
}

function newPod(deps: PodDeps, owner: Owner, { config, runtimeHandler }: RunPodInput): Pod {
  return {
    id: deps.ids.podId(),
    owner,
    config,
    runtimeHandler,
    phase: 'creating',
    stage: 'record',
    createdAtNs: deps.clock.now(),
    network: { ips: [] },
    isNetworkAttached: config.namespaces.network === 'pod',
    pausePid: undefined,
    selinuxLevel: deps.newSelinuxLevel(),
  }
}
