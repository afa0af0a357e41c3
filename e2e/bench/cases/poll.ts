import { setTimeout as delay } from 'node:timers/promises'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { type BenchCase, interleave } from '../bench.ts'
import { fill } from '../pods.ts'
import { cpuMs, keptProcesses } from '../processes.ts'
import type { Subject } from '../subjects/subject.ts'

/** How often a kubelet asks, in seconds. */
const every = { lists: 1, status: 5, stats: 10 } as const

export const poll: BenchCase = {
  name: 'poll',
  title: 'CPU of everything the runtime keeps while a kubelet asks: lists 1 s, Status 5 s, statistics 10 s',
  async run(bench) {
    const { wide, pods, perPod } = bench.options
    const [count = 1] = pods
    for (const subject of bench.subjects) {
      await fill(subject, { containers: count, perPod, wide, signal: bench.signal })
    }
    bench.sheet.note(`${count} containers, ${perPod} in each pod`)
    await interleave(
      bench,
      async (subject, record) => {
        const processes = await keptProcesses(subject)
        const [before, begin] = [await cpuMs(processes), performance.now()]
        for (let second = 0; second < every.stats; second++) {
          await ask(subject, second)
          const next = begin + (second + 1) * 1000
          await delay(Math.max(0, next - performance.now()), undefined, { signal: bench.signal })
        }
        const share = ((await cpuMs(processes)) - before) / (performance.now() - begin)
        record({ metric: 'kubelet-like poll', unit: '% of a core', value: share * 100 })
      },
      { warmUp: 0 },
    )
  },
}

async function ask({ cri: { client } }: Subject, second: number): Promise<void> {
  if (second % every.lists === 0) {
    await client.call(rpc.ListPodSandbox, {})
    await client.call(rpc.ListContainers, {})
  }
  if (second % every.status === 0) await client.call(rpc.Status, {})
  if (second % every.stats === 0) await client.call(rpc.ListContainerStats, {})
}
