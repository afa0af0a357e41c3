import { randomBytes } from 'node:crypto'
import Long from 'long'
import { v1 } from '#proto'
import type { Scratch } from './scratch.ts'

export type PodConfig = v1.PodSandboxConfig.$Properties
export type ContainerConfig = v1.ContainerConfig.$Properties
export type PodStatus = v1.PodSandboxStatus.$Properties
export type ContainerStatus = v1.ContainerStatus.$Properties
export type NamespaceOptions = v1.NamespaceOption.$Properties
export type ContainerSecurity = v1.LinuxContainerSecurityContext.$Properties

export const mode = v1.NamespaceMode
export const propagation = v1.MountPropagation
export const containerState = v1.ContainerState
export const podState = v1.PodSandboxState

/** int64 fields are Long objects. */
export function int64(value: number): Long {
  return Long.fromNumber(value)
}

export type PodOverrides = Omit<PodConfig, 'linux'> & {
  readonly name?: string
  readonly namespaces?: NamespaceOptions
  readonly isPrivileged?: boolean
  readonly sysctls?: Record<string, string>
  readonly cgroupParent?: string
}

/** A pod as the kubelet asks for it by default: own network and IPC, one PID namespace for each container. */
export function podConfig(scratch: Scratch, overrides: PodOverrides = {}): PodConfig {
  const {
    name = `pod-${randomBytes(3).toString('hex')}`,
    namespaces,
    isPrivileged,
    sysctls,
    cgroupParent = scratch.cgroupParent,
    ...rest
  } = overrides
  return {
    metadata: { name, uid: randomBytes(8).toString('hex'), namespace: 'e2e', attempt: 0 },
    hostname: name,
    logDirectory: `${scratch.logDir}/${name}`,
    linux: {
      cgroupParent,
      sysctls: sysctls ?? {},
      securityContext: {
        privileged: isPrivileged ?? false,
        namespaceOptions: { pid: mode.CONTAINER, ...namespaces },
      },
    },
    ...rest,
  }
}

export type ContainerOverrides = Omit<ContainerConfig, 'linux' | 'envs' | 'image'> & {
  readonly name?: string
  readonly image?: string
  /** A line for sh -c; instead of command and args. */
  readonly shell?: string
  readonly env?: Record<string, string>
  readonly security?: ContainerSecurity
  readonly resources?: v1.LinuxContainerResources.$Properties
}

/** A container that by default sleeps until it gets SIGTERM. */
export function containerConfig(image: string, overrides: ContainerOverrides = {}): ContainerConfig {
  const { name = 'main', image: other, shell, env, security, resources, ...rest } = overrides
  return {
    metadata: { name, attempt: 0 },
    image: { image: other ?? image, userSpecifiedImage: other ?? image },
    command: ['/bin/sh', '-c', shell ?? sleeper],
    envs: Object.entries(env ?? {}).map(([key, value]) => ({ key, value: Buffer.from(value) })),
    logPath: `${name}.log`,
    linux: {
      resources: resources ?? {},
      securityContext: { namespaceOptions: { pid: mode.CONTAINER }, ...security },
    },
    ...rest,
  }
}

/** PID 1 has no default signal handlers: without a trap SIGTERM would do nothing. */
export const sleeper = 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done'
