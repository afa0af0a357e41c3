import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { CriClient } from '../../cri/grpc/client.ts'
import { imageMethods, runtimeMethods } from '../../cri/grpc/methods.ts'

export interface WebPod {
  readonly podId: string
  readonly containerId: string
  readonly ip: string
}

export interface WebPodInput {
  readonly client: CriClient
  readonly imageName: string
  readonly logDir: string
}

const labels = { app: 'lighter-demo' }
const callTimeoutMs = 60_000
const containerName = 'web'

/** Pulls the image and starts one container of it in a pod of its own: what a kubelet does, in the same calls. */
export async function runWebPod(ctx: Ctx, { client, imageName, logDir }: WebPodInput): Promise<WebPod> {
  const options = { timeoutMs: callTimeoutMs, signal: ctx.signal }
  await client.call(imageMethods.PullImage, { image: { image: imageName } }, options)
  const sandboxConfig = {
    metadata: { name: 'lighter-demo', uid: `lighter-demo-${process.pid}`, namespace: 'default', attempt: 0 },
    hostname: 'lighter-demo',
    logDirectory: logDir,
    labels,
    linux: {},
  }
  const { podSandboxId } = await client.call(runtimeMethods.RunPodSandbox, { config: sandboxConfig }, options)
  const config = {
    metadata: { name: containerName, attempt: 0 },
    image: { image: imageName },
    logPath: `${containerName}.log`,
    labels,
    linux: {},
  }
  const { containerId } = await client.call(
    runtimeMethods.CreateContainer,
    { podSandboxId, config, sandboxConfig },
    options,
  )
  await client.call(runtimeMethods.StartContainer, { containerId }, options)
  const { status } = await client.call(runtimeMethods.PodSandboxStatus, { podSandboxId }, options)
  const ip = status?.network?.ip ?? ''
  if (ip === '') {
    throw new RuntimeError('internal', `pod ${podSandboxId} has no IP address: see ${join(logDir, '..')}`)
  }
  return { podId: podSandboxId, containerId, ip }
}

/** Removes all pods of the demo and its image; absent is fine. */
export async function removeDemoPods(client: CriClient, imageName: string): Promise<void> {
  const options = { timeoutMs: callTimeoutMs }
  const filter = { labelSelector: labels }
  const { items } = await client.call(runtimeMethods.ListPodSandbox, { filter }, options)
  for (const item of items) {
    const podSandboxId = item.id ?? ''
    await client.call(runtimeMethods.StopPodSandbox, { podSandboxId }, options)
    await client.call(runtimeMethods.RemovePodSandbox, { podSandboxId }, options)
  }
  await client.call(imageMethods.RemoveImage, { image: { image: imageName } }, options)
}
