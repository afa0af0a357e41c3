import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { mode } from '../../harness/configs.ts'
import { type Bench, type BenchCase, interleave, timed } from '../bench.ts'
import { fill, startCalls, stopCalls, timeLife, total } from '../pods.ts'
import { cpuMs } from '../processes.ts'
import type { Subject } from '../subjects/subject.ts'

/** No network, so that a pod costs what the daemon costs. */
const ofHost = { namespaces: { network: mode.NODE } }
/** CPU time has a grain of 10 ms: it is taken over so many calls. */
const burst = 20

export const lists: BenchCase = {
  name: 'lists',
  title:
    'lists of many containers that a fake OCI runtime keeps, and what pods with it cost: the daemons alone',
  async run(bench) {
    const subjects = bench.subjects.filter(({ fakeHandler }) => fakeHandler !== undefined)
    for (const subject of bench.subjects) {
      if (subjects.includes(subject)) continue
      bench.sheet.note(`${subject.name} is left out: the fake runtime must be one of its handlers`)
    }
    await interleave(
      bench,
      async (subject, record) => {
        const times = await timeLife(subject, { handler: subject.fakeHandler ?? '', pod: ofHost })
        record({ metric: 'fake pod to running', unit: 'ms', value: total(times, startCalls) })
        record({ metric: 'fake pod, end', unit: 'ms', value: total(times, stopCalls) })
      },
      { subjects },
    )
    let running = 0
    for (const wanted of bench.options.containers) {
      await Promise.all(subjects.map(subject => fillFake(bench, subject, wanted - running)))
      running = wanted
      await measure(bench, subjects, running)
    }
  },
}

async function fillFake({ options, signal }: Bench, subject: Subject, containers: number): Promise<void> {
  const { wide, perPod } = options
  const shape = { handler: subject.fakeHandler ?? '', pod: ofHost }
  await fill(subject, { containers, perPod, wide, shape, signal })
}

async function measure(bench: Bench, subjects: readonly Subject[], containers: number): Promise<void> {
  const calls = {
    ListContainers: async ({ cri: { client } }: Subject) =>
      (await client.call(rpc.ListContainers, {})).containers.length,
    ListPodSandbox: async ({ cri: { client } }: Subject) =>
      (await client.call(rpc.ListPodSandbox, {})).items.length,
  }
  for (const [name, call] of Object.entries(calls)) {
    await interleave(
      bench,
      async (subject, record) => {
        const [, value] = await timed(() => call(subject))
        record({ metric: `${name}, ${containers} containers`, unit: 'ms', value })
      },
      { subjects },
    )
    await interleave(
      bench,
      async (subject, record) => {
        const daemon = [await subject.daemonPid()]
        const before = await cpuMs(daemon)
        for (let count = 0; count < burst; count++) await call(subject)
        const value = ((await cpuMs(daemon)) - before) / burst
        record({ metric: `${name}, ${containers} containers, CPU of the daemon`, unit: 'ms', value })
      },
      { subjects },
    )
  }
}
