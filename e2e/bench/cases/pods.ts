import { type Bench, type BenchCase, interleave, timed } from '../bench.ts'
import { floorName, floorNote, openFloor } from '../floor.ts'
import { removePod, side, startCalls, startPod, timeLife, total } from '../pods.ts'

const serial = 'pod to running, serial'

export const pods: BenchCase = {
  name: 'pods',
  title: 'RunPodSandbox, CreateContainer and StartContainer until the container runs',
  async run(bench) {
    await interleave(bench, async (subject, record) => {
      const times = await timeLife(subject)
      record({ metric: serial, unit: 'ms', value: total(times, startCalls) })
    })
    await measureFloor(bench)
    await measureWide(bench)
  },
}

async function measureFloor(bench: Bench): Promise<void> {
  const floor = await openFloor()
  try {
    bench.sheet.note(floorNote)
    for (let round = -bench.options.warmUp; round < bench.options.rounds; round++) {
      bench.signal.throwIfAborted()
      const { network, create, start } = await floor.life()
      if (round < 0) continue
      const steps = { [serial]: network + create + start, 'floor: network': network }
      const all = { ...steps, 'floor: runc create': create, 'floor: runc start': start }
      for (const [metric, value] of Object.entries(all)) {
        bench.sheet.add(floorName, { metric, unit: 'ms', value })
      }
    }
  } finally {
    await floor.close()
  }
}

/** Twice as many pods as there are at once, all started, then all removed. */
async function measureWide(bench: Bench): Promise<void> {
  const { wide } = bench.options
  const places = Array.from({ length: wide * 2 }, (_, at) => at)
  await interleave(bench, async (subject, record) => {
    const [started, startMs] = await timed(() => side(wide, places, () => startPod(subject)))
    const [, stopMs] = await timed(() => side(wide, started, pod => removePod(subject, pod)))
    const rate = (ms: number) => (started.length * 1000) / ms
    record({ metric: `${wide} at once, started`, unit: 'pods/s', value: rate(startMs) })
    record({ metric: `${wide} at once, removed`, unit: 'pods/s', value: rate(stopMs) })
  })
}
