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

async function measure({ cri: { client } }: World, containers: number): Promise<void> {
  const calls = {
    ListContainerStats: async () => (await client.call(rpc.ListContainerStats, {})).stats.length,
    ListPodSandboxStats: async () => (await client.call(rpc.ListPodSandboxStats, {})).stats.length,
    ListPodSandboxMetrics: async () => (await client.call(rpc.ListPodSandboxMetrics, {})).podMetrics.length,
    ImageFsInfo: async () => {
      await client.call(imageMethods.ImageFsInfo, {})
      return 1
    },
  }
  for (const [name, call] of Object.entries(calls)) {
    const times = { fresh: [] as number[], kept: [] as number[] }
    for (let round = 0; round < Number(values.rounds); round++) {
      await delay(pauseMs)
      times.fresh.push(await timed(call))
      times.kept.push(await timed(call))
    }
    const items = await call()
    const [median, slow, kept] = [
      quantile(times.fresh, 0.5),
      quantile(times.fresh, 0.95),
      quantile(times.kept, 0.5),
    ]
    const figures = `median ${median.toFixed(1)} ms, p95 ${slow.toFixed(1)} ms; again at once ${kept.toFixed(1)} ms`
    process.stdout.write(`${containers} containers, ${name} (${items} items): ${figures}\n`)
  }
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await call()
  return performance.now() - begin
}
