import type { Bench, BenchCase } from '../bench.ts'
import { interleave } from '../bench.ts'
import { fill } from '../pods.ts'
import { keptProcesses, memoryKilobytes, memoryMegabytes } from '../processes.ts'
import { quantile } from '../report/statistics.ts'

export const memory: BenchCase = {
  name: 'memory',
  title: 'proportional set size of everything that the runtime keeps: daemon, helpers, shims, pauses',
  async run(bench) {
    await measure(bench, 'idle')
    let running = 0
    for (const wanted of bench.options.pods) {
      for (const subject of bench.subjects) {
        const { wide } = bench.options
        await fill(subject, { containers: wanted - running, perPod: 1, wide, signal: bench.signal })
      }
      running = wanted
      await measure(bench, `${running} pods`)
    }
  },
}

async function measure(bench: Bench, when: string): Promise<void> {
  await interleave(bench, async (subject, record) => {
    const daemon = await subject.daemonPid()
    const others = (await keptProcesses(subject)).filter(pid => pid !== daemon)
    const each = await Promise.all(others.map(memoryKilobytes))
    record({ metric: `all, ${when}`, unit: 'MB', value: await memoryMegabytes([daemon, ...others]) })
    record({ metric: `daemon, ${when}`, unit: 'MB', value: await memoryMegabytes([daemon]) })
    if (each.length > 0) {
      record({ metric: `one other process, ${when}`, unit: 'kB', value: quantile(each, 0.5) })
    }
  })
}
