import assert from 'node:assert/strict'
import { type CallOptions, type CriClient, createCriClient } from '../../cri/grpc/client.ts'
import { imageMethods, runtimeMethods } from '../../cri/grpc/methods.ts'
import {
  type ContainerConfig,
  type ContainerStatus,
  int64,
  type PodConfig,
  type PodStatus,
} from './configs.ts'
import { slowness } from './eventually.ts'

/** The CRI as the tests speak it: ids and texts in, ids and statuses out. Every call has a deadline. */
export interface Cri {
  readonly client: CriClient
  runPod(config: PodConfig, runtimeHandler?: string): Promise<string>
  stopPod(podId: string): Promise<void>
  removePod(podId: string): Promise<void>
  podStatus(podId: string): Promise<PodStatus>
  /** Ids of all pods. */
  listPods(): Promise<readonly string[]>
  createContainer(podId: string, container: ContainerConfig, pod: PodConfig): Promise<string>
  startContainer(containerId: string): Promise<void>
  stopContainer(containerId: string, timeoutSeconds?: number): Promise<void>
  removeContainer(containerId: string): Promise<void>
  containerStatus(containerId: string): Promise<ContainerStatus>
  /** Ids of all containers. */
  listContainers(): Promise<readonly string[]>
  exec(containerId: string, command: readonly string[], timeoutSeconds?: number): Promise<ExecOutcome>
  reopenLog(containerId: string): Promise<void>
  /** Answers the image id. */
  pull(image: string, auth?: Auth): Promise<string>
  removeImage(image: string): Promise<void>
  /** Ids of all images, or of the one with this name. */
  listImages(image?: string): Promise<readonly string[]>
  close(): void
}

export interface ExecOutcome {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

export interface Auth {
  readonly username?: string
  readonly password?: string
  readonly auth?: string
  readonly identityToken?: string
  readonly registryToken?: string
}

const callOptions: CallOptions = { timeoutMs: 60_000 * slowness }

export function connect(socketPath: string): Cri {
  const client = createCriClient(socketPath)
  return {
    client,
    ...podCalls(client),
    ...containerCalls(client),
    ...imageCalls(client),
    close() {
      client.close()
    },
  }
}

type PodCalls = Pick<Cri, 'runPod' | 'stopPod' | 'removePod' | 'podStatus' | 'listPods'>

function podCalls(client: CriClient): PodCalls {
  return {
    async runPod(config, runtimeHandler = '') {
      const request = { config, runtimeHandler }
      return (await client.call(runtimeMethods.RunPodSandbox, request, callOptions)).podSandboxId
    },
    async stopPod(podSandboxId) {
      await client.call(runtimeMethods.StopPodSandbox, { podSandboxId }, callOptions)
    },
    async removePod(podSandboxId) {
      await client.call(runtimeMethods.RemovePodSandbox, { podSandboxId }, callOptions)
    },
    async podStatus(podSandboxId) {
      const { status } = await client.call(runtimeMethods.PodSandboxStatus, { podSandboxId }, callOptions)
      assert.ok(status, 'PodSandboxStatus answered no status')
      return status
    },
    async listPods() {
      const { items } = await client.call(runtimeMethods.ListPodSandbox, {}, callOptions)
      return items.map(item => item.id ?? '')
    },
  }
}

type ContainerCalls = Omit<Cri, keyof PodCalls | 'pull' | 'removeImage' | 'listImages' | 'client' | 'close'>

function containerCalls(client: CriClient): ContainerCalls {
  return {
    async createContainer(podSandboxId, config, sandboxConfig) {
      const request = { podSandboxId, config, sandboxConfig }
      return (await client.call(runtimeMethods.CreateContainer, request, callOptions)).containerId
    },
    async startContainer(containerId) {
      await client.call(runtimeMethods.StartContainer, { containerId }, callOptions)
    },
    async stopContainer(containerId, timeoutSeconds = 0) {
      await client.call(
        runtimeMethods.StopContainer,
        { containerId, timeout: int64(timeoutSeconds) },
        callOptions,
      )
    },
    async removeContainer(containerId) {
      await client.call(runtimeMethods.RemoveContainer, { containerId }, callOptions)
    },
    async containerStatus(containerId) {
      const { status } = await client.call(runtimeMethods.ContainerStatus, { containerId }, callOptions)
      assert.ok(status, 'ContainerStatus answered no status')
      return status
    },
    async listContainers() {
      const { containers } = await client.call(runtimeMethods.ListContainers, {}, callOptions)
      return containers.map(item => item.id ?? '')
    },
    async exec(containerId, command, timeoutSeconds = 20) {
      const request = { containerId, cmd: [...command], timeout: int64(timeoutSeconds) }
      const { stdout, stderr, exitCode } = await client.call(runtimeMethods.ExecSync, request, callOptions)
      return { stdout: Buffer.from(stdout).toString(), stderr: Buffer.from(stderr).toString(), exitCode }
    },
    async reopenLog(containerId) {
      await client.call(runtimeMethods.ReopenContainerLog, { containerId }, callOptions)
    },
  }
}

function imageCalls(client: CriClient): Pick<Cri, 'pull' | 'removeImage' | 'listImages'> {
  return {
    async pull(image, auth) {
      const request = { image: { image }, ...(auth ? { auth } : {}) }
      return (await client.call(imageMethods.PullImage, request, callOptions)).imageRef
    },
    async removeImage(image) {
      await client.call(imageMethods.RemoveImage, { image: { image } }, callOptions)
    },
    async listImages(image) {
      const request = image === undefined ? {} : { filter: { image: { image } } }
      const { images } = await client.call(imageMethods.ListImages, request, callOptions)
      return images.map(image => image.id ?? '')
    },
  }
}
