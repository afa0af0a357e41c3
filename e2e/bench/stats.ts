import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { imageMethods, runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { containerConfig, mode, podConfig } from '../harness/configs.ts'
import { closeWorld, openWorld, type World } from '../harness/world.ts'
import { quantile } from './series.ts'

const usage = `Times the statistics of many running containers over the CRI socket of a lighterd of its own.

  npm run bench:stats -- [--containers 40,200] [--per-pod 4] [--rounds 15]
`

/** Figures are kept for half a second (runtime/stats/sampler.ts): a round after that reads everything again. */
const pauseMs = 600

const { values } = parseArgs({
  options: {
    containers: { type: 'string', default: '40,200' },
    'per-pod': { type: 'string', default: '4' },
    rounds: { type: 'string', default: '15' },
    help: { type: 'boolean', default: false },
  },
})

const rounds = Number(values.rounds)

if (values.help) process.stdout.write(usage)
else await bench()

async function bench(): Promise<void> {
  const world = await openWorld({ logLevel: 'warn' })
  try {
    let running = 0
    for (const wanted of values.containers.split(',').map(Number)) {
      while (running < wanted)
        running += await addPod(world, Math.min(Number(values['per-pod']), wanted - running))
      await measure(world, running)
    }
  } finally {
    await closeWorld(world)
  }
}

/** Answers how many containers run in it. */
async function addPod({ cri, scratch, registry }: World, containers: number): Promise<number> {
  const config = podConfig(scratch)
  const id = await cri.runPod(config)
  for (let number = 0; number < containers; number++) {
    const container = containerConfig(registry.busybox, {
      name: `c${number}`,
      shell: 'exec sleep 100000',
      security: { namespaceOptions: { pid: mode.CONTAINER } },
    })
    await cri.startContainer(await cri.createContainer(id, container, config))
  }
  return containers
}

async function measure({ cri: { client }, daemon }: World, containers: number): Promise<void> {
  const calls = {
    ListContainerStats: async () => (await client.call(rpc.ListContainerStats, {})).stats.length,
    ListPodSandboxStats: async () => (await client.call(rpc.ListPodSandboxStats, {})).stats.length,
    ListPodSandboxMetrics: async () => (await client.call(rpc.ListPodSandboxMetrics, {})).podMetrics.length,
    ImageFsInfo: async () => (await client.call(imageMethods.ImageFsInfo, {})).imageFilesystems.length,
  }
  for (const [name, call] of Object.entries(calls)) {
    const [fresh, kept] = [[] as number[], [] as number[]]
    const before = await cpuMs(daemon.pid())
    for (let round = 0; round < rounds; round++) {
      await delay(pauseMs)
      fresh.push(await timed(call))
    }
    const cpu = ((await cpuMs(daemon.pid())) - before) / rounds
    for (let round = 0; round < rounds; round++) kept.push(await timed(call))
    const figures = [
      `fastest ${Math.min(...fresh).toFixed(1)}`,
      `median ${quantile(fresh, 0.5).toFixed(1)}`,
      `p95 ${quantile(fresh, 0.95).toFixed(1)}`,
      `CPU of the daemon ${cpu.toFixed(1)}`,
      `again at once ${quantile(kept, 0.5).toFixed(1)}`,
    ]
    process.stdout.write(
      `${containers} containers, ${name}, ${await call()} items, ms: ${figures.join(', ')}\n`,
    )
  }
}

/** Time that a process has used, in steps of 10 ms (proc_pid_stat(5), fields 14 and 15). */
async function cpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await call()
  return performance.now() - begin
}
