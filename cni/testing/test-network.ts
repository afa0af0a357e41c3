import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClock } from '#base/clock'
import type { Ctx } from '#base/context'
import { silentLog } from '#base/log'
import { createNetwork, type NetworkDeps } from '../cni.ts'
import type { Attachment, NetworkService } from '../network.ts'
import { createChildPrograms } from './child-programs.ts'

const run = promisify(execFile)

/** Cleaning up is registered where the thing is made. */
export interface Cleanup {
  after(work: () => Promise<unknown>): void
}

/** Runs what is registered when the test is over, last first: all of it, then fails with the first error. */
export function cleanup(t: Cleanup): Cleanup {
  const steps: (() => Promise<unknown>)[] = []
  t.after(async () => {
    const errors: unknown[] = []
    for (const step of steps.reverse()) await step().catch((err: unknown) => errors.push(err))
    if (errors.length > 0) throw errors[0]
  })
  return {
    after(work) {
      steps.push(work)
    },
  }
}

export const testCtx: Ctx = { signal: new AbortController().signal, log: silentLog }

/** A directory of its own, removed after the test. */
export async function testDirectory(t: Cleanup): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-cni-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Started network over `directory`/{conf,bin,cache}, stopped after the test. */
export async function startNetwork(
  t: Cleanup,
  directory: string,
  changes: Partial<NetworkDeps> = {},
): Promise<NetworkService> {
  const network = createNetwork({
    confDir: join(directory, 'conf'),
    binDirs: [join(directory, 'bin')],
    cacheDir: join(directory, 'cache'),
    programs: createChildPrograms(),
    pluginTimeoutMs: 20_000,
    log: silentLog,
    clock: createClock(),
    ...changes,
  })
  await network.start()
  t.after(() => network.stop())
  return network
}

export function testAttachment(changes: Partial<Attachment> = {}): Attachment {
  return {
    containerId: randomBytes(32).toString('hex'),
    netnsPath: '',
    args: { K8S_POD_NAME: 'web' },
    capabilities: {},
    ...changes,
  }
}

/** Waits for something that another process or the kernel brings about. */
export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`did not happen: ${what}`)
    await createClock().sleep(5)
  }
}

/** Answers stdout; rejects if the command fails. */
export async function command(file: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(file, args)
  return stdout
}

export async function succeeds(file: string, ...args: readonly string[]): Promise<boolean> {
  return await run(file, args).then(
    () => true,
    () => false,
  )
}
