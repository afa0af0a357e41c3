import type { ContainerId, PodId } from '#base/ids'
import { parseContainerId, parseDigest, parsePodId } from '#base/ids'
import type { Container, ContainerConfig } from '#engine/model/container'
import type { Image, ImageId } from '#engine/model/image'
import type { Pod, PodConfig } from '#engine/model/pod'

/** Objects of the engine for tests: complete, ordinary, and made different by what a test says. */
export function samplePodId(number: number): PodId {
  return parsePodId(number.toString(16).padStart(64, '0'))
}

export function sampleContainerId(number: number): ContainerId {
  return parseContainerId(number.toString(16).padStart(64, 'c'))
}

export function sampleImageId(number: number): ImageId {
  return parseDigest(`sha256:${number.toString(16).padStart(64, 'e')}`)
}

export function samplePod(id: PodId, config: PodConfig): Pod {
  return {
    id,
    owner: 'k8s.io',
    config,
    runtimeHandler: '',
    phase: 'ready',
    stage: 'ready',
    createdAtNs: 1_700_000_000_123_456_789n,
    network: { ips: config.namespaces.network === 'node' ? [] : ['10.88.0.7', 'fd00::7'] },
    isNetworkAttached: true,
    pausePid: undefined,
  }
}

export function sampleContainer(
  ids: { readonly id: ContainerId; readonly podId: PodId },
  config: ContainerConfig,
): Container {
  return {
    ...ids,
    owner: 'k8s.io',
    config,
    imageId: sampleImageId(1),
    imageRef: `docker.io/library/web@${sampleImageId(2)}`,
    mountedImages: [],
    phase: 'created',
    stage: 'created',
    createdAtNs: 1_700_000_001_000_000_001n,
    startedAtNs: 0n,
    finishedAtNs: 0n,
    pid: undefined,
    exit: undefined,
    user: { uid: 1000, gid: 1001, supplementalGroups: [7, 8] },
    stopSignal: config.stopSignal || 'SIGTERM',
    logPath: config.logPath && `/var/log/pods/${config.logPath}`,
    cgroupsPath: '/kubepods/x',
    resources: config.resources,
  }
}

export function sampleImage(number: number, repoTags: readonly string[]): Image {
  return {
    id: sampleImageId(number),
    repoTags,
    repoDigests: [],
    manifestDigest: sampleImageId(number + 1000),
    sizeBytes: 5_000_000_000,
    chainIds: [],
    config: {
      user: '',
      env: ['PATH=/bin'],
      entrypoint: [],
      cmd: ['/bin/web'],
      workingDir: '',
      stopSignal: '',
      volumes: [],
      labels: {},
      os: 'linux',
      architecture: 'amd64',
      created: '2024-01-01T00:00:00Z',
    },
    isPinned: false,
    pulledAtNs: 1n,
  }
}
