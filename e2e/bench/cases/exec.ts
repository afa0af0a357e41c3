import { type Bench, type BenchCase, interleave, timed } from '../bench.ts'
import { floorName, openFloor } from '../floor.ts'
import { side, startPod } from '../pods.ts'
import type { Subject } from '../subjects/subject.ts'

const metric = 'ExecSync true'

export const exec: BenchCase = {
  name: 'exec',
  title: 'a command in a running container, as an exec probe',
  async run(bench) {
    const { wide } = bench.options
    const containers = new Map<Subject, string>()
    for (const subject of bench.subjects) {
      const [container = ''] = (await startPod(subject)).containers
      containers.set(subject, container)
    }
    const once = (subject: Subject) => subject.cri.exec(containers.get(subject) ?? '', ['true'])
    await interleave(bench, async (subject, record) => {
      const [, value] = await timed(() => once(subject))
      record({ metric, unit: 'ms', value })
    })
    await interleave(bench, async (subject, record) => {
      const calls = Array.from({ length: wide * 2 }, (_, at) => at)
      const [, ms] = await timed(() => side(wide, calls, () => once(subject)))
      record({ metric: `${wide} at once`, unit: 'calls/s', value: (calls.length * 1000) / ms })
    })
    await measureFloor(bench)
  },
}

async function measureFloor({ options, sheet, signal }: Bench): Promise<void> {
  const floor = await openFloor()
  try {
    sheet.note('floor: runc exec --detach with nothing around it')
    for (let round = 0; round < options.rounds; round++) {
      signal.throwIfAborted()
      sheet.add(floorName, { metric, unit: 'ms', value: await floor.exec() })
    }
  } finally {
    await floor.close()
  }
}
