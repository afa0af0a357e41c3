import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { containerConfig, mode, type PodConfig, podConfig } from '../harness/configs.ts'
import { type Cri, connect } from '../harness/cri.ts'
import { childOf, pidsOf } from '../harness/processes.ts'
import { closeWorld, openWorld } from '../harness/world.ts'
import { type Memory, memoryOf } from './memory.ts'
import { callNames, measureSeries, quantile, type Series } from './series.ts'

const usage = `Times the life of a pod over a CRI socket and prints medians.

  npm run bench:first-pod                                   a lighterd of its own
  npm run bench:first-pod -- --socket PATH --image NAME     any CRI runtime; the image is pulled if it is missing
        [--daemon COMM] [--shim COMM]                       also the memory of the processes with these names
  --rounds N (20)  --warm-up N (3)  --pods N (20)
`

/** What is measured: a runtime behind a socket, and where to look for its processes. */
interface Subject {
  readonly name: string
  readonly cri: Cri
  readonly image: string
  pod(): PodConfig
  daemonPid(): Promise<number | undefined>
  hostPid(): Promise<number | undefined>
  shimPids(): Promise<readonly number[]>
  close(): Promise<void>
}

const { values } = parseArgs({
  options: {
    socket: { type: 'string' },
    image: { type: 'string' },
    daemon: { type: 'string' },
    shim: { type: 'string' },
    rounds: { type: 'string', default: '20' },
    'warm-up': { type: 'string', default: '3' },
    pods: { type: 'string', default: '20' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(usage)
else await bench()

async function bench(): Promise<void> {
  const subject = values.socket === undefined ? await ownDaemon() : await otherRuntime(values.socket)
  try {
    const { cri, image } = subject
    const pod = (): PodConfig => subject.pod()
    const idle = await daemonMemory(subject)
    const shared = { cri, image, rounds: Number(values.rounds), warmUp: Number(values['warm-up']) }
    const own = await measureSeries({ ...shared, title: 'own PID namespace', pidMode: mode.CONTAINER, pod })
    const together = await measureSeries({
      ...shared,
      title: 'shared PID namespace',
      pidMode: mode.POD,
      pod: () => sharedPid(pod()),
    })
    printTimes(subject.name, [own, together])
    await printMemory(subject, idle)
  } finally {
    await subject.close()
  }
}

function sharedPid(config: PodConfig): PodConfig {
  return {
    ...config,
    linux: { ...config.linux, securityContext: { namespaceOptions: { pid: mode.POD } } },
  }
}

async function ownDaemon(): Promise<Subject> {
  const world = await openWorld({ logLevel: 'info' })
  return {
    name: 'lighterd',
    cri: world.cri,
    image: world.registry.busybox,
    pod: () => podConfig(world.scratch),
    daemonPid: () => Promise.resolve(world.daemon.pid()),
    hostPid: () => childOf(world.daemon.pid(), 'lighter-host'),
    shimPids: () => pidsOf('lighter-shim', world.scratch.dir),
    close: () => closeWorld(world),
  }
}

async function otherRuntime(socket: string): Promise<Subject> {
  const image = values.image
  if (image === undefined) throw new Error('--socket needs --image')
  const cri = connect(socket)
  if ((await cri.listImages(image)).length === 0) await cri.pull(image)
  const pids = async (comm: string | undefined): Promise<readonly number[]> =>
    comm === undefined ? [] : pidsOf(comm)
  const logs = await mkdtemp(join(tmpdir(), 'lighter-bench-'))
  return {
    name: socket,
    cri,
    image,
    pod() {
      const name = `bench-${randomBytes(4).toString('hex')}`
      return {
        metadata: { name, uid: name, namespace: 'bench', attempt: 0 },
        hostname: name,
        logDirectory: join(logs, name),
        linux: { securityContext: { namespaceOptions: { pid: mode.CONTAINER } } },
      }
    },
    daemonPid: async () => (await pids(values.daemon))[0],
    hostPid: () => Promise.resolve(undefined),
    shimPids: () => pids(values.shim),
    async close() {
      cri.close()
      await rm(logs, { recursive: true, force: true })
    },
  }
}

function printTimes(name: string, series: readonly Series[]): void {
  print(`${name}: median (90th percentile) of ${values.rounds} in ms`)
  print(['call'.padEnd(18), ...series.map(one => one.title.padStart(24))].join(''))
  for (const call of callNames) {
    const cells = series.map(({ times }) => {
      const [median, high] = [quantile(times[call], 0.5), quantile(times[call], 0.9)]
      return `${median.toFixed(1)} (${high.toFixed(1)})`.padStart(24)
    })
    print([call.padEnd(18), ...cells].join(''))
  }
}

async function printMemory(subject: Subject, idle: Memory | undefined): Promise<void> {
  const pods: string[] = []
  try {
    await fillNode(subject, pods)
    const shims = (await Promise.all((await subject.shimPids()).map(memoryOf))).filter(
      one => one !== undefined,
    )
    const rows: readonly (readonly [string, Memory | undefined])[] = [
      ['daemon, idle', idle],
      [`daemon, ${values.pods} pods`, await daemonMemory(subject)],
      ['lighter-host', await optionalMemory(await subject.hostPid())],
      ['one shim (median)', medianOf(shims)],
    ]
    print(`\n${'memory in kB'.padEnd(20)}${'resident'.padStart(12)}${'proportional'.padStart(14)}`)
    for (const [name, memory] of rows) {
      if (memory)
        print(
          `${name.padEnd(20)}${memory.rssKb.toFixed(0).padStart(12)}${memory.pssKb.toFixed(0).padStart(14)}`,
        )
    }
  } finally {
    for (const podId of pods) {
      await subject.cri.stopPod(podId)
      await subject.cri.removePod(podId)
    }
  }
}

/** Runs pods of one container; their ids are in `pods` as soon as they exist. */
async function fillNode(subject: Subject, pods: string[]): Promise<void> {
  const { cri, image } = subject
  for (let count = 0; count < Number(values.pods); count++) {
    const config = subject.pod()
    const podId = await cri.runPod(config)
    pods.push(podId)
    await cri.startContainer(await cri.createContainer(podId, containerConfig(image), config))
  }
}

function medianOf(processes: readonly Memory[]): Memory | undefined {
  if (processes.length === 0) return undefined
  const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)
  return {
    rssKb: median(processes.map(one => one.rssKb)),
    pssKb: median(processes.map(one => one.pssKb)),
  }
}

async function daemonMemory(subject: Subject): Promise<Memory | undefined> {
  return optionalMemory(await subject.daemonPid())
}

async function optionalMemory(pid: number | undefined): Promise<Memory | undefined> {
  return pid === undefined ? undefined : memoryOf(pid)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
