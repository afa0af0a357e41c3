import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectDir } from '../harness/paths.ts'
import { pidsOf } from '../harness/processes.ts'
import type { Bench, BenchCase } from './bench.ts'
import { exec } from './cases/exec.ts'
import { lists } from './cases/lists.ts'
import { log } from './cases/log.ts'
import { memory } from './cases/memory.ts'
import { pods } from './cases/pods.ts'
import { poll } from './cases/poll.ts'
import { pull } from './cases/pull.ts'
import { recovery } from './cases/recovery.ts'
import { rpcs } from './cases/rpcs.ts'
import { stats } from './cases/stats.ts'
import { stream } from './cases/stream.ts'
import { teardown } from './cases/teardown.ts'
import { describeEnvironment, renderEnvironment } from './environment.ts'
import { compileFakeRuntime } from './fake-runtime.ts'
import { type BenchOptions, parseOptions, usage } from './options.ts'
import { type CaseResult, createSheet } from './report/sheet.ts'
import { renderCase } from './report/table.ts'
import { writeResults } from './report/write-results.ts'
import { findContainerd, openContainerd } from './subjects/containerd.ts'
import { openLighter } from './subjects/lighter.ts'
import { openSocketPeer } from './subjects/socket.ts'
import type { Subject } from './subjects/subject.ts'

/** In the order in which they run: those that leave the machine as it was come first. */
const cases: readonly BenchCase[] = [
  ...[memory, pods, rpcs, exec, teardown, poll, log, stream, pull, recovery],
  ...[lists, stats],
]

process.exitCode = await main()

async function main(): Promise<number> {
  let options: BenchOptions
  try {
    options = parseOptions(
      process.argv.slice(2),
      cases.map(({ name }) => name),
    )
  } catch (err) {
    process.stderr.write(`bench: ${messageOf(err)}\n`)
    return 2
  }
  if (options.isHelp) {
    print(usage)
    return 0
  }
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // A second one ends the process at once.
    process.once(signal, () => {
      process.stderr.write(`\nbench: ${signal}: cleaning up\n`)
      interrupt.abort(new Error(signal))
    })
  }
  const dir = await mkdtemp(join(tmpdir(), 'lighter-bench-'))
  const subjects: Subject[] = []
  try {
    for (const open of await openers(options, await compileFakeRuntime(dir))) {
      interrupt.signal.throwIfAborted()
      subjects.push(await open())
    }
    return (await run({ subjects, options, signal: interrupt.signal })) ? 0 : 1
  } catch (err) {
    process.stderr.write(`bench: ${messageOf(err)}\n`)
    return 1
  } finally {
    for (const subject of subjects.reverse()) await attempt(`closing ${subject.name}`, () => subject.close())
    await attempt('ending the containers of the fake runtime', () => killFakes(dir))
    await rm(dir, { recursive: true, force: true })
  }
}

async function openers(options: BenchOptions, fake: string): Promise<readonly (() => Promise<Subject>)[]> {
  const containerd = await findContainerd()
  const peers = options.peers ?? (containerd === undefined ? [] : [{ name: 'containerd' } as const])
  const lighter = options.hasLighter ? [() => openLighter(fake)] : []
  return [
    ...lighter,
    ...peers.map(peer => () => {
      if ('socketPath' in peer) return openSocketPeer({ ...peer, image: options.image })
      if (containerd !== undefined) return openContainerd(containerd, fake)
      throw new Error('--peer containerd: there is no containerd 2: run e2e/bench/peers.sh first')
    }),
  ]
}

async function run(bench: Omit<Bench, 'sheet'>): Promise<boolean> {
  const { subjects, options, signal } = bench
  if (subjects.length === 0) throw new Error('--no-lighter: there is nothing left to measure')
  const environment = await describeEnvironment(subjects)
  print(`${renderEnvironment(environment)}\n`)
  const results: CaseResult[] = []
  for (const one of cases) {
    if (options.cases && !options.cases.includes(one.name)) continue
    if (signal.aborted) break
    const result = await runCase(one, bench)
    results.push(result)
    print(`${renderCase(result)}\n`)
  }
  // Half a run is no result.
  signal.throwIfAborted()
  const paths = await writeResults(options.outDir ?? join(projectDir, 'build', 'bench'), {
    ...{ environment, options, results },
  })
  print(paths.join('\n'))
  return results.every(({ failure }) => failure === undefined)
}

/** A case that fails keeps what it has found out. All its pods are removed. */
async function runCase(one: BenchCase, bench: Omit<Bench, 'sheet'>): Promise<CaseResult> {
  const sheet = createSheet()
  let failure: string | undefined
  try {
    await one.run({ ...bench, sheet })
  } catch (err) {
    failure = messageOf(err)
  }
  for (const subject of bench.subjects) {
    await attempt(`removing the pods of ${subject.name}`, () => subject.clear())
  }
  return {
    ...{ name: one.name, title: one.title, figures: sheet.figures(), notes: sheet.notes() },
    ...(failure === undefined ? {} : { failure }),
  }
}

/** They are in no cgroup of their own: a runtime that died forgets them. */
async function killFakes(dir: string): Promise<void> {
  for (const pid of await pidsOf('fake-runtime', dir)) process.kill(pid, 'SIGKILL')
}

async function attempt(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (err) {
    process.stderr.write(`bench: ${what}: ${messageOf(err)}\n`)
  }
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
