import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, it } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { cpuMs, keptProcesses, memoryKilobytes, memoryMegabytes } from './processes.ts'
import type { Subject } from './subjects/subject.ts'

function subjectOf(pid: number): Subject {
  return {
    socketPath: '/nowhere.sock',
    scratch: { dir: '/nowhere', cgroupParent: '/nowhere' },
    daemonPid: () => Promise.resolve(pid),
  } as Subject
}

describe('processes', () => {
  it('of a runtime are the daemon and all that come from it', async t => {
    const daemon = spawn('sh', ['-c', '(sleep 1000 & wait) & wait'], { detached: true })
    t.after(() => process.kill(-Number(daemon.pid), 'SIGKILL'))
    const found = await eventually('sh, sh and sleep are there', async () => {
      const kept = await keptProcesses(subjectOf(Number(daemon.pid)))
      return kept.length === 3 && kept
    })
    assert.ok(found.includes(Number(daemon.pid)))
    assert.ok(!found.includes(process.pid))
  })

  it('have a memory that sums up', async () => {
    const own = await memoryKilobytes(process.pid)
    assert.ok(own > 10_000)
    const both = await memoryMegabytes([process.pid, process.pid])
    assert.ok(Math.abs(both / ((2 * own * 1024) / 1e6) - 1) < 0.3)
  })

  it('that are gone have neither memory nor time', async t => {
    const child = spawn('true')
    t.after(() => child.kill())
    await new Promise(resolve => child.once('close', resolve))
    assert.equal(await memoryKilobytes(Number(child.pid)), 0)
    assert.equal(await cpuMs([Number(child.pid)]), 0)
  })

  it('use time that can be seen', async () => {
    const before = await cpuMs([process.pid])
    const begin = process.cpuUsage()
    for (let used = 0; used < 100_000; ) {
      const { user, system } = process.cpuUsage(begin)
      used = user + system
    }
    const used = (await cpuMs([process.pid])) - before
    assert.ok(used >= 80 && used < 1_000, String(used))
  })
})
