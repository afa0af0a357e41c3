import assert from 'node:assert/strict'
import { runtimeMethods } from '../../cri/grpc/methods.ts'
import { eventually } from '../harness/eventually.ts'
import { listDirectory, readText } from '../harness/files.ts'
import type { Story } from '../harness/world.ts'

/** What the daemon was like before something hostile happened to it. */
export interface Health {
  /** Fails unless it is the same process, answers within a second, logged no bug, and holds nothing more than before. */
  assertUnharmed(): Promise<void>
}

export interface HealthOptions {
  /** What its memory may have grown by; default: it is not looked at. */
  readonly growthBytes?: number
  /** Said when it was harmed: how to do that again. */
  readonly hint?: string
}

const answerMs = 1_000
/** Longer than the daemon asks a connection on which the protocol was broken whether somebody is there. */
const settleMs = 45_000

export async function healthOf(s: Story, { growthBytes, hint = '' }: HealthOptions = {}): Promise<Health> {
  const pid = s.daemon.pid()
  await s.cri.client.call(runtimeMethods.ListContainerStats, {})
  const before = {
    files: await openFiles(pid),
    bytes: await residentBytes(pid),
    log: (await s.daemon.log()).length,
  }
  return {
    async assertUnharmed() {
      assert.equal(s.daemon.pid(), pid, `the daemon ended: ${hint}`)
      const startedMs = performance.now()
      await s.cri.client.call(runtimeMethods.Version, {}, { timeoutMs: answerMs })
      assert.ok(performance.now() - startedMs < answerMs, hint)
      const log = (await s.daemon.log()).slice(before.log)
      const bugs = log.split('\n').filter(line => line.includes('unexpectedly'))
      assert.deepEqual(bugs.slice(0, 3), [], hint)
      // Figures of what is gone are forgotten when somebody asks for figures.
      await s.cri.client.call(runtimeMethods.ListContainerStats, {})
      await eventually(
        `no file is left open ${hint}`,
        async () => (await openFiles(pid)) <= before.files,
        settleMs,
      )
      if (growthBytes === undefined) return
      const grown = (await residentBytes(pid)) - before.bytes
      assert.ok(grown < growthBytes, `the daemon has grown by ${grown} bytes ${hint}`)
    },
  }
}

async function openFiles(pid: number): Promise<number> {
  return (await listDirectory(`/proc/${pid}/fd`)).length
}

async function residentBytes(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readText(`/proc/${pid}/status`))?.[1]) * 1024
}
