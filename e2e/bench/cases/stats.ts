import { setTimeout as delay } from 'node:timers/promises'
import { imageMethods, runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { type Bench, type BenchCase, interleave, timed } from '../bench.ts'
import { fill } from '../pods.ts'
import { cpuMs, keptProcesses } from '../processes.ts'
import type { Subject } from '../subjects/subject.ts'

/** Runtimes may keep figures for a while (lighter: half a second): a round after that reads everything again. */
const pauseMs = 600

type Answer = (subject: Subject) => Promise<number>

/** Answer how many items there are. */
const calls: Readonly<{ [name: string]: Answer }> = {
  ListContainerStats: async ({ cri: { client } }) =>
    (await client.call(rpc.ListContainerStats, {})).stats.length,
  ListPodSandboxStats: async ({ cri: { client } }) =>
    (await client.call(rpc.ListPodSandboxStats, {})).stats.length,
  ListPodSandboxMetrics: async ({ cri: { client } }) =>
    (await client.call(rpc.ListPodSandboxMetrics, {})).podMetrics.length,
  ImageFsInfo: async ({ cri: { client } }) =>
    (await client.call(imageMethods.ImageFsInfo, {})).imageFilesystems.length,
}

export const stats: BenchCase = {
  name: 'stats',
  title: 'statistics and metrics of many running containers',
  async run(bench) {
    const { containers, perPod, wide } = bench.options
    let running = 0
    for (const wanted of containers) {
      for (const subject of bench.subjects) {
        await fill(subject, { containers: wanted - running, perPod, wide, signal: bench.signal })
      }
      running = wanted
      for (const [name, call] of Object.entries(calls)) {
        await measure(bench, { name: `${name}, ${running} containers`, call })
      }
    }
  },
}

async function measure(
  bench: Bench,
  { name, call }: { readonly name: string; readonly call: Answer },
): Promise<void> {
  await interleave(bench, async (subject, record) => {
    await delay(pauseMs, undefined, { signal: bench.signal })
    const processes = await keptProcesses(subject)
    const before = await cpuMs(processes)
    const [items, fresh] = await timed(() => call(subject))
    const cpu = (await cpuMs(processes)) - before
    const [, again] = await timed(() => call(subject))
    if (items === 0) bench.sheet.note(`${subject.name}: ${name} answers nothing`)
    record({ metric: name, unit: 'ms', value: fresh })
    record({ metric: `${name}, again at once`, unit: 'ms', value: again })
    record({ metric: `${name}, CPU`, unit: 'ms', value: cpu })
  })
}
