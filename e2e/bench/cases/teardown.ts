import { type BenchCase, interleave } from '../bench.ts'
import { floorName, openFloor } from '../floor.ts'
import { stopCalls, timeLife, total } from '../pods.ts'

const metric = 'stop, remove, stop pod, remove pod'

export const teardown: BenchCase = {
  name: 'teardown',
  title: 'the end of a pod with one running container, without grace',
  async run(bench) {
    await interleave(bench, async (subject, record) => {
      const times = await timeLife(subject)
      record({ metric, unit: 'ms', value: total(times, stopCalls) })
      for (const call of stopCalls) record({ metric: call, unit: 'ms', value: times[call] })
    })
    const floor = await openFloor()
    try {
      bench.sheet.note('floor: runc kill, runc delete, bridge, ip netns, one after the other')
      for (let round = 0; round < bench.options.rounds; round++) {
        bench.signal.throwIfAborted()
        const times = await floor.life()
        const steps = {
          [metric]: times.kill + times.delete + times['network gone'],
          'floor: runc kill, and its end': times.kill,
          'floor: runc delete': times.delete,
          'floor: network': times['network gone'],
        }
        for (const [name, value] of Object.entries(steps)) {
          bench.sheet.add(floorName, { metric: name, unit: 'ms', value })
        }
      }
    } finally {
      await floor.close()
    }
  },
}
