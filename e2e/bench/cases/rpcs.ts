import { imageMethods, runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { int64, mode } from '../../harness/configs.ts'
import { type BenchCase, interleave, timed } from '../bench.ts'
import { type BenchPod, startCalls, startPod, stopCalls, timeLife } from '../pods.ts'
import type { Subject } from '../subjects/subject.ts'

export const rpcs: BenchCase = {
  name: 'rpcs',
  title: 'each RPC, with one pod of one container',
  async run(bench) {
    await interleave(bench, async (subject, record) => {
      const times = await timeLife(subject)
      for (const call of [...startCalls, ...stopCalls])
        record({ metric: call, unit: 'ms', value: times[call] })
    })
    await interleave(bench, async (subject, record) => {
      const times = await timeLife(subject, { pod: { namespaces: { pid: mode.POD } } })
      for (const call of [...startCalls, ...stopCalls]) {
        record({ metric: `${call}, shared PID namespace`, unit: 'ms', value: times[call] })
      }
    })
    const pods = new Map<Subject, BenchPod>()
    for (const subject of bench.subjects) pods.set(subject, await startPod(subject))
    await interleave(bench, async (subject, record) => {
      const pod = pods.get(subject)
      if (!pod) return
      for (const [metric, call] of Object.entries(questions(subject, pod))) {
        const [, value] = await timed(call)
        record({ metric, unit: 'ms', value })
      }
    })
  },
}

/** RPCs that change nothing. */
function questions(
  { cri: { client }, image }: Subject,
  pod: BenchPod,
): Readonly<{ [name: string]: () => Promise<unknown> }> {
  const [containerId = ''] = pod.containers
  return {
    Version: () => client.call(rpc.Version, {}),
    Status: () => client.call(rpc.Status, {}),
    PodSandboxStatus: () => client.call(rpc.PodSandboxStatus, { podSandboxId: pod.id }),
    ContainerStatus: () => client.call(rpc.ContainerStatus, { containerId }),
    ListPodSandbox: () => client.call(rpc.ListPodSandbox, {}),
    ListContainers: () => client.call(rpc.ListContainers, {}),
    ContainerStats: () => client.call(rpc.ContainerStats, { containerId }),
    UpdateContainerResources: () =>
      client.call(rpc.UpdateContainerResources, { containerId, linux: { cpuShares: int64(512) } }),
    ReopenContainerLog: () => client.call(rpc.ReopenContainerLog, { containerId }),
    Exec: () => client.call(rpc.Exec, { containerId, cmd: ['true'], stdout: true }),
    PortForward: () => client.call(rpc.PortForward, { podSandboxId: pod.id, port: [80] }),
    ImageStatus: () => client.call(imageMethods.ImageStatus, { image: { image } }),
    ListImages: () => client.call(imageMethods.ListImages, {}),
    ImageFsInfo: () => client.call(imageMethods.ImageFsInfo, {}),
  }
}
