import Long from 'long'
import type { Container, ContainerPhase } from '#engine/model/container'
import type { DeviceSpec, HookSpec, HooksSpec, Spec } from '#engine/oci/spec/types'
import { api } from '#nri-proto'
import { fromNamespaces } from './pod.ts'
import { fromSpecResources } from './resources.ts'
import { wrap } from './values.ts'

const { ContainerState } = api

const states: Readonly<Record<ContainerPhase, api.ContainerState>> = {
  creating: ContainerState.CONTAINER_CREATED,
  created: ContainerState.CONTAINER_CREATED,
  starting: ContainerState.CONTAINER_CREATED,
  running: ContainerState.CONTAINER_RUNNING,
  exited: ContainerState.CONTAINER_STOPPED,
  removing: ContainerState.CONTAINER_STOPPED,
}

/** A container as plugins see it; `spec` is undefined when its bundle is gone. */
export function fromContainer(container: Container, spec: Spec | undefined): api.Container.$Properties {
  const { config, exit } = container
  return {
    id: container.id,
    podSandboxId: container.podId,
    name: config.metadata.name,
    state: states[container.phase],
    labels: config.labels,
    annotations: spec?.annotations ?? config.annotations,
    pid: container.pid ?? 0,
    createdAt: Long.fromBigInt(container.createdAtNs),
    startedAt: Long.fromBigInt(container.startedAtNs),
    finishedAt: Long.fromBigInt(container.finishedAtNs),
    exitCode: exit?.exitCode ?? 0,
    statusReason: exit?.reason ?? '',
    statusMessage: exit?.message ?? '',
    CDIDevices: config.cdiDevices.map(name => ({ name })),
    ...(spec ? fromSpec(spec) : {}),
  }
}

function fromSpec(spec: Spec): Partial<api.Container.$Properties> {
  const { process, linux } = spec
  return {
    args: [...process.args],
    env: [...process.env],
    mounts: spec.mounts.map(mount => ({ ...mount, options: [...mount.options] })),
    hooks: fromHooks(spec.hooks),
    user: {
      uid: process.user.uid,
      gid: process.user.gid,
      additionalGids: [...process.user.additionalGids],
    },
    rlimits: (process.rlimits ?? []).map(({ type, hard, soft }) => ({
      type,
      hard: Long.fromNumber(hard, true),
      soft: Long.fromNumber(soft, true),
    })),
    linux: {
      namespaces: fromNamespaces(linux.namespaces),
      devices: linux.devices.map(fromDevice),
      resources: fromSpecResources(linux.resources),
      oomScoreAdj: wrap(process.oomScoreAdj),
      cgroupsPath: linux.cgroupsPath,
      sysctl: linux.sysctl ?? {},
    },
  }
}

function fromDevice(device: DeviceSpec): api.LinuxDevice.$Properties {
  return {
    path: device.path,
    type: device.type,
    major: Long.fromNumber(device.major),
    minor: Long.fromNumber(device.minor),
    fileMode: { value: device.fileMode },
    uid: { value: device.uid },
    gid: { value: device.gid },
  }
}

function fromHooks(hooks: HooksSpec | undefined): api.Hooks.$Properties {
  return {
    prestart: (hooks?.prestart ?? []).map(fromHook),
    createRuntime: (hooks?.createRuntime ?? []).map(fromHook),
    createContainer: (hooks?.createContainer ?? []).map(fromHook),
    startContainer: (hooks?.startContainer ?? []).map(fromHook),
    poststart: (hooks?.poststart ?? []).map(fromHook),
    poststop: (hooks?.poststop ?? []).map(fromHook),
  }
}

function fromHook({ path, args, env, timeout }: HookSpec): api.Hook.$Properties {
  return { path, args: [...(args ?? [])], env: [...(env ?? [])], timeout: wrap(timeout) }
}
