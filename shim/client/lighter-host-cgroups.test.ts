import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { command, startHost, waitUntil } from './testing/host-fixture.ts'

/** So many that the kernel's short moment of a removal is met in practically every run. */
const raceRounds = 40

/** A directory of each cgroup version that this machine has. */
async function hierarchies(): Promise<string[]> {
  const candidates = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/pids']
  const found = await Promise.all(
    candidates.map(async path => {
      const hasProcesses = await stat(join(path, 'cgroup.procs')).then(
        () => true,
        () => false,
      )
      return hasProcesses ? [path] : []
    }),
  )
  return found.flat()
}

/** A cgroup `name` with a child and a grandchild, and one process in each that ignores SIGTERM. */
async function makeCgroup(t: TestContext, cgroup: string): Promise<ChildProcess[]> {
  const paths = [cgroup, join(cgroup, 'child'), join(cgroup, 'child/grandchild')]
  const processes: ChildProcess[] = []
  t.after(async () => {
    for (const sleeper of processes) sleeper.kill('SIGKILL')
    for (const path of paths.reverse()) await command('rmdir', [path]).catch(() => undefined)
  })
  for (const path of paths) {
    await mkdir(path)
    const sleeper = spawn('/bin/sh', ['-c', 'trap "" TERM; echo ready; exec sleep 1000'])
    processes.push(sleeper)
    await once(sleeper.stdout, 'data')
    await writeFile(join(path, 'cgroup.procs'), String(sleeper.pid))
  }
  return processes
}

test('the processes of a cgroup and of those below are signalled, and the cgroups removed', async t => {
  const { host, ctx } = await startHost(t)
  const bases = await hierarchies()
  assert.ok(bases.length > 0)
  for (const base of bases) {
    const cgroup = join(base, `lighter-host-kill-${process.pid}`)
    const processes = await makeCgroup(t, cgroup)
    assert.equal(await host.killCgroup(ctx, [cgroup], 15), 3, base)
    await assert.rejects(host.removeCgroup(ctx, [cgroup]), err => isKind(err, 'failed-precondition'))
    assert.equal((await readdir(cgroup)).includes('child'), true)
    const exits = processes.map(sleeper => once(sleeper, 'exit'))
    assert.equal(await host.killCgroup(ctx, [cgroup], 9), 3, base)
    for (const exit of exits) assert.deepEqual(await exit, [null, 'SIGKILL'])
    await host.removeCgroup(ctx, [cgroup])
    await assert.rejects(stat(cgroup), { code: 'ENOENT' })
    assert.equal(await host.killCgroup(ctx, [cgroup], 9), 0)
    await host.removeCgroup(ctx, [cgroup])
  }
})

test('a cgroup whose processes start new ones all the time is killed to the last', async t => {
  const { host, ctx } = await startHost(t)
  for (const base of await hierarchies()) {
    const cgroup = join(base, `lighter-host-fork-${process.pid}`)
    await mkdir(cgroup)
    t.after(async () => command('rmdir', [cgroup]).catch(() => undefined))
    const script = `echo $$ > ${cgroup}/cgroup.procs; while :; do (sleep 0.01; sleep 0.01) & sleep 0.002; done`
    const forker = spawn('/bin/sh', ['-c', script], { stdio: 'ignore' })
    await waitUntil('a few processes', async () => {
      return (await readFile(join(cgroup, 'cgroup.procs'), 'utf8')).split('\n').length > 4
    })
    const exited = once(forker, 'exit')
    assert.ok((await host.killCgroup(ctx, [cgroup], 9)) > 0)
    await exited
    await host.removeCgroup(ctx, [cgroup])
    await assert.rejects(stat(cgroup), { code: 'ENOENT' })
  }
})

test('a cgroup that somebody removes at the same moment is killed without an error', async t => {
  const { host, ctx } = await startHost(t)
  for (const base of await hierarchies()) {
    const names = Array.from({ length: 8 }, (_, index) => `lighter-host-race-${process.pid}-${String(index)}`)
    const cgroups = names.map(name => join(base, name))
    t.after(async () => command('rmdir', cgroups).catch(() => undefined))
    for (let round = 0; round < raceRounds; round++) {
      await Promise.all(cgroups.map(cgroup => mkdir(cgroup)))
      await Promise.all(
        cgroups.flatMap(cgroup => [host.killCgroup(ctx, [cgroup], 9), host.removeCgroup(ctx, [cgroup])]),
      )
    }
  }
})

test('a process is signalled only if it has the name', async t => {
  const { host, ctx } = await startHost(t)
  const sleeper = spawn('/bin/sleep', ['1000'])
  const pid = sleeper.pid
  assert.ok(pid)
  t.after(() => sleeper.kill('SIGKILL'))
  await waitUntil('sleep', async () => (await readFile(`/proc/${pid}/comm`, 'utf8')) === 'sleep\n')
  assert.equal(await host.killProcess(ctx, { pid, name: 'lighter-pause', signal: 9 }), false)
  assert.equal(await host.killProcess(ctx, { pid, name: 'sleep', signal: 0 }), true)
  assert.equal(sleeper.exitCode ?? sleeper.signalCode, null)
  const exit = once(sleeper, 'exit')
  assert.equal(await host.killProcess(ctx, { pid, name: 'sleep', signal: 15 }), true)
  assert.deepEqual(await exit, [null, 'SIGTERM'])
  assert.equal(await host.killProcess(ctx, { pid, name: 'sleep', signal: 0 }), false)
})
