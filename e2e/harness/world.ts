import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, type TestContext } from 'node:test'
import { type Auditor, createAuditor } from './auditor.ts'
import {
  type ContainerConfig,
  type ContainerOverrides,
  containerConfig,
  type PodConfig,
  type PodOverrides,
  podConfig,
} from './configs.ts'
import { type Cri, connect } from './cri.ts'
import { createDaemon, type Daemon } from './daemon.ts'
import { reboot } from './reboot.ts'
import { type E2eRegistry, startRegistry } from './registry.ts'
import { createScratch, removeScratch, type Scratch } from './scratch.ts'

/** A node of its own: directories, network, registry, daemon. One for each test file. */
export interface World {
  readonly scratch: Scratch
  readonly daemon: Daemon
  readonly registry: E2eRegistry
  readonly cri: Cri
  readonly auditor: Auditor
}

/** A pod that a test made. */
export interface TestPod {
  readonly id: string
  readonly config: PodConfig
}

/** What a test sees: its world, and short ways to do what most tests do first. */
export interface Story extends World {
  /** RunPodSandbox. */
  runPod(overrides?: PodOverrides): Promise<TestPod>
  /** CreateContainer. */
  create(pod: TestPod, overrides?: ContainerOverrides): Promise<string>
  /** CreateContainer and StartContainer. */
  run(pod: TestPod, overrides?: ContainerOverrides): Promise<string>
  /** Standard output of a command that must succeed, without the last line feed. */
  exec(containerId: string, ...command: readonly string[]): Promise<string>
  /** Where the log of the container with this name in the pod is. */
  logPath(pod: TestPod, container?: string): string
  container(overrides?: ContainerOverrides): ContainerConfig
}

export interface WorldOptions {
  /** Text of the configuration file; its keys are overridden by the usual flags. */
  readonly config?: string
  /** Default: debug, since the log is shown when a test fails. */
  readonly logLevel?: string
  /** Prepares the node before the daemon starts; what it answers are more flags for the daemon. */
  readonly prepare?: (scratch: Scratch) => Promise<readonly string[]>
  /** Pods' cgroups are in a slice, as the cgroup driver systemd wants. */
  readonly isInSlice?: boolean
  /** Default: a child process. */
  readonly createDaemon?: typeof createDaemon
}

export type StoryBody = (story: Story, t: TestContext) => Promise<void>

const logTailLines = 20
const logLineLength = 400

/**
 * Opens a world before the first test of the file and takes it down after the last. Answers what makes a test:
 * it runs the body, removes all pods and images that it left, and fails if anything else is left over.
 */
export function useWorld(options: WorldOptions = {}): (body: StoryBody) => (t: TestContext) => Promise<void> {
  let world: World | undefined
  before(async () => {
    world = await openWorld(options)
  })
  after(async () => {
    if (world) await closeWorld(world)
  })
  return body => async t => {
    if (!world) throw new Error('the world did not open')
    await tell(world, body, t)
  }
}

/** The caller closes the world. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const scratch = await createScratch(options.isInSlice === true ? '.slice' : '')
  const registry = await startRegistry(scratch)
  const configPath = join(scratch.dir, 'config.yaml')
  await writeFile(configPath, options.config ?? '')
  const flags = (await options.prepare?.(scratch)) ?? []
  const daemon = (options.createDaemon ?? createDaemon)(scratch, [
    '--log-level',
    options.logLevel ?? 'debug',
    '--config',
    configPath,
    ...flags,
  ])
  try {
    await daemon.start()
    const cri = connect(scratch.socketPath)
    await cri.pull(registry.busybox)
    return { scratch, daemon, registry, cri, auditor: createAuditor(scratch) }
  } catch (err) {
    process.stderr.write(`${logTail(await daemon.log()).join('\n')}\n`)
    await daemon.kill()
    await registry.stop()
    await reboot.all(scratch)
    await removeScratch(scratch)
    throw err
  }
}

/** Stops the daemon and takes away everything of the world, also when that has gone wrong half-way. */
export async function closeWorld(world: World): Promise<void> {
  const { scratch, daemon, registry, cri } = world
  try {
    await removePods(cri)
  } catch (err) {
    process.stderr.write(`pods of ${scratch.dir} cannot be removed, killing them: ${String(err)}\n`)
  }
  cri.close()
  await daemon.stop()
  await registry.stop()
  await reboot.all(scratch)
  await removeScratch(scratch)
}

/** Stops and removes all pods, and their containers with them. */
export async function removePods(cri: Cri): Promise<void> {
  for (const id of await cri.listPods()) {
    await cri.stopPod(id)
    await cri.removePod(id)
  }
}

/** The last lines of the daemon's log, each cut to what fits a terminal. */
function logTail(log: string): readonly string[] {
  const lines = log.trimEnd().split('\n').slice(-logTailLines)
  return lines.map(line => `lighterd: ${line.slice(0, logLineLength)}`)
}

async function tell(world: World, body: StoryBody, t: TestContext): Promise<void> {
  const images = await world.cri.listImages()
  const logStart = (await world.daemon.log()).length
  await world.auditor.baseline()
  const errors: unknown[] = []
  const attempt = (step: () => Promise<void>): Promise<void> =>
    step().catch((err: unknown) => {
      errors.push(err)
    })
  await attempt(() => body(storyOf(world), t))
  await attempt(() => cleanUp(world, images))
  await attempt(() => world.auditor.assertNothingLeft())
  if (errors.length === 0) return
  for (const line of logTail((await world.daemon.log()).slice(logStart))) t.diagnostic(line)
  const [first, ...more] = errors
  for (const err of more) t.diagnostic(`then: ${String(err)}`)
  throw first
}

/** Brings the daemon back if the test took it down, and removes what it made, through the front door. */
async function cleanUp({ scratch, daemon, cri }: World, images: readonly string[]): Promise<void> {
  if (!daemon.isRunning()) await daemon.start()
  await removePods(cri)
  for (const id of await cri.listImages()) if (!images.includes(id)) await cri.removeImage(id)
  await rm(scratch.logDir, { recursive: true, force: true })
}

function storyOf(world: World): Story {
  const { cri, scratch, registry } = world
  const container = (overrides?: ContainerOverrides) => containerConfig(registry.busybox, overrides)
  const create = (pod: TestPod, overrides?: ContainerOverrides): Promise<string> =>
    cri.createContainer(pod.id, container(overrides), pod.config)
  return {
    ...world,
    container,
    create,
    async runPod(overrides) {
      const config = podConfig(scratch, overrides)
      return { id: await cri.runPod(config), config }
    },
    async run(pod, overrides) {
      const id = await create(pod, overrides)
      await cri.startContainer(id)
      return id
    },
    async exec(containerId, ...command) {
      const { exitCode, stdout, stderr } = await cri.exec(containerId, command)
      if (exitCode !== 0) {
        throw new Error(`${command.join(' ')}: exit code ${String(exitCode)}: ${stdout}${stderr}`)
      }
      return stdout.replace(/\n$/, '')
    },
    logPath: (pod, name = 'main') => `${pod.config.logDirectory ?? ''}/${name}.log`,
  }
}
