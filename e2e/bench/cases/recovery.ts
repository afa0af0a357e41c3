import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '../../harness/cri.ts'
import { type Bench, type BenchCase, interleave } from '../bench.ts'
import { fill } from '../pods.ts'
import type { Restart, Subject } from '../subjects/subject.ts'

const lookMs = 2
const recoveryTimeoutMs = 120_000

export const recovery: BenchCase = {
  name: 'recovery',
  title: 'from the start of the daemon, after SIGKILL, until it lists the containers that go on running',
  async run(bench) {
    const subjects = bench.subjects.filter(({ restart }) => restart !== undefined)
    for (const { name, restart } of bench.subjects) {
      if (!restart) bench.sheet.note(`${name} is left out: the bench did not start it`)
    }
    await measure(bench, subjects, 0)
    const pods = Math.max(...bench.options.pods)
    const { wide } = bench.options
    for (const subject of subjects) {
      await fill(subject, { containers: pods, perPod: 1, wide, signal: bench.signal })
    }
    await measure(bench, subjects, pods)
  },
}

async function measure(bench: Bench, subjects: readonly Subject[], containers: number): Promise<void> {
  await interleave(
    bench,
    async (subject, record) => {
      const { restart } = subject
      if (!restart) return
      const value = await timeRestart(subject, restart, containers)
      record({ metric: `start with ${containers} pods`, unit: 'ms', value })
    },
    { subjects, warmUp: 0 },
  )
}

async function timeRestart(subject: Subject, restart: Restart, containers: number): Promise<number> {
  await restart.kill()
  const begin = performance.now()
  const started = restart.start()
  try {
    for (;;) {
      if ((await listed(subject)) === containers) return performance.now() - begin
      if (performance.now() - begin > recoveryTimeoutMs) {
        throw new Error(`${subject.name} does not list ${containers} containers after its start`)
      }
      await delay(lookMs)
    }
  } finally {
    await started
  }
}

/** undefined while it does not answer. A client that was refused once waits before it tries again: a new one each time. */
async function listed({ socketPath }: Subject): Promise<number | undefined> {
  const cri = connect(socketPath)
  try {
    return (await cri.listContainers()).length
  } catch {
    return undefined
  } finally {
    cri.close()
  }
}
