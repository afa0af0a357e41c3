import { join } from 'node:path'
import type { ContainerId, PodId } from '#base/ids'
import type { EngineConfig } from '../engine-config.ts'

/** Where everything lies; the only place that puts path names together. */
export interface Paths {
  readonly podRecords: string
  readonly containerRecords: string
  readonly quarantine: string
  readonly cniCache: string
  /** What checkpoints and restores need while they are under way. */
  readonly checkpoints: string
  readonly rootLock: string
  readonly stateLock: string
  readonly runtimeRoot: string
  /** Directories of all pods, of all containers, and of all shim sockets. */
  readonly pods: string
  readonly containers: string
  readonly sockets: string
  /** Sockets of port-forwards that are being made. */
  readonly forwards: string
  pod(id: PodId): PodPaths
  container(id: ContainerId): ContainerPaths
}

export interface PodPaths {
  readonly directory: string
  readonly network: string
  readonly ipc: string
  readonly uts: string
  readonly pid: string
  readonly user: string
  readonly shm: string
  readonly hosts: string
  readonly hostname: string
  readonly resolvConf: string
}

export interface ContainerPaths {
  readonly directory: string
  /** OCI bundle: config.json. */
  readonly bundle: string
  readonly rootfs: string
  /** Mount points of volumes that are prepared before the OCI runtime gets them; may not exist. */
  readonly volumes: string
  readonly exitFile: string
  readonly pidFile: string
  readonly shimLog: string
  readonly socket: string
}

/** A unix socket path holds 107 bytes (unix(7)): half of an id names the socket well enough. */
const socketNameLength = 32

export function createPaths(config: Pick<EngineConfig, 'rootDir' | 'stateDir'>): Paths {
  const inRoot = (...parts: string[]): string => join(config.rootDir, ...parts)
  const inState = (...parts: string[]): string => join(config.stateDir, ...parts)
  return {
    podRecords: inRoot('pods'),
    containerRecords: inRoot('containers'),
    quarantine: inRoot('quarantine'),
    cniCache: inRoot('cni'),
    checkpoints: inRoot('checkpoints'),
    rootLock: inRoot('lock'),
    stateLock: inState('lock'),
    runtimeRoot: inState('runtime'),
    pods: inState('pods'),
    containers: inState('containers'),
    sockets: inState('shims'),
    forwards: inState('forwards'),
    pod: id => podPaths(inState('pods', id)),
    container: id => ({
      ...containerPaths(inState('containers', id)),
      socket: inState('shims', id.slice(0, socketNameLength)),
    }),
  }
}

function podPaths(directory: string): PodPaths {
  return {
    directory,
    network: join(directory, 'net'),
    ipc: join(directory, 'ipc'),
    uts: join(directory, 'uts'),
    pid: join(directory, 'pid'),
    user: join(directory, 'user'),
    shm: join(directory, 'shm'),
    hosts: join(directory, 'hosts'),
    hostname: join(directory, 'hostname'),
    resolvConf: join(directory, 'resolv.conf'),
  }
}

function containerPaths(directory: string): Omit<ContainerPaths, 'socket'> {
  return {
    directory,
    bundle: directory,
    rootfs: join(directory, 'rootfs'),
    volumes: join(directory, 'volumes'),
    exitFile: join(directory, 'exit'),
    pidFile: join(directory, 'pid'),
    shimLog: join(directory, 'shim.log'),
  }
}
