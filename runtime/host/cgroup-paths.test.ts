import assert from 'node:assert/strict'
import { readFile, rmdir, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { cgroupDirectories, cgroupDirectory, cgroupsPathFor, makeCgroup, oomPath } from './cgroup-paths.ts'
import { type CgroupLayout, detectCgroups } from './cgroups.ts'

const v1: CgroupLayout = {
  version: 1,
  driver: 'cgroupfs',
  controllers: { cpu: '/cg/cpu,cpuacct', cpuacct: '/cg/cpu,cpuacct', memory: '/cg/memory' },
  unified: undefined,
  hasSwapAccounting: false,
}
const hybrid: CgroupLayout = { ...v1, unified: '/cg/unified' }
const v2: CgroupLayout = {
  ...v1,
  version: 2,
  controllers: { cpu: '/cg', memory: '/cg' },
  unified: '/cg',
}
const systemd: CgroupLayout = { ...v2, driver: 'systemd' }

describe('the cgroup path of a container', () => {
  const cases = [
    { layout: v1, parent: '', expected: '/lighter/id' },
    { layout: v1, parent: '/kubepods/pod1', expected: '/kubepods/pod1/id' },
    { layout: v1, parent: 'relative', expected: '/relative/id' },
    { layout: v1, parent: '/../../x', expected: '/x/id' },
    { layout: systemd, parent: '', expected: 'lighter.slice:lighter:id' },
    { layout: systemd, parent: 'a-b.slice', expected: 'a-b.slice:lighter:id' },
    { layout: systemd, parent: '/a.slice/a-b.slice', expected: 'a-b.slice:lighter:id' },
  ]
  for (const { layout, parent, expected } of cases) {
    it(`is ${expected} for the parent "${parent}" with ${layout.driver}`, () => {
      assert.equal(cgroupsPathFor(layout, parent, 'id'), expected)
    })
  }

  for (const { layout, parent } of [
    { layout: systemd, parent: '/kubepods/pod1' },
    { layout: systemd, parent: 'a:b.slice' },
    { layout: v1, parent: '/a\nb' },
    { layout: v1, parent: '/a:b:c' },
    { layout: v1, parent: '/kubepods.slice/kubepods-pod1.slice' },
  ]) {
    it(`is refused for the parent ${JSON.stringify(parent)} with ${layout.driver}`, () => {
      assert.throws(
        () => cgroupsPathFor(layout, parent, 'id'),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }
})

describe('the directories of a cgroup', () => {
  const cases = [
    { name: 'v1', layout: v1, path: '/p/id', expected: ['/cg/cpu,cpuacct/p/id', '/cg/memory/p/id'] },
    {
      name: 'hybrid',
      layout: hybrid,
      path: '/p/id',
      expected: ['/cg/cpu,cpuacct/p/id', '/cg/memory/p/id', '/cg/unified/p/id'],
    },
    { name: 'v2', layout: v2, path: '/p/id', expected: ['/cg/p/id'] },
    {
      name: 'systemd',
      layout: systemd,
      path: 'a-b-c.slice:lighter:id',
      expected: ['/cg/a.slice/a-b.slice/a-b-c.slice/lighter-id.scope'],
    },
    {
      name: 'the root slice',
      layout: systemd,
      path: '-.slice:lighter:id',
      expected: ['/cg/lighter-id.scope'],
    },
  ]
  for (const { name, layout, path, expected } of cases) {
    it(`are one per hierarchy: ${name}`, () => {
      assert.deepEqual(cgroupDirectories(layout, path), expected)
    })
  }

  it('are known by controller, if there is such a one', () => {
    assert.equal(cgroupDirectory(v1, '/p/id', 'memory'), '/cg/memory/p/id')
    assert.equal(cgroupDirectory(v1, '/p/id', 'pids'), undefined)
  })

  it('count OOM kills in a file of the memory controller', () => {
    assert.equal(oomPath(v1, '/p/id'), '/cg/memory/p/id/memory.oom_control')
    assert.equal(oomPath(v2, '/p/id'), '/cg/p/id/memory.events')
    assert.equal(oomPath({ ...v1, controllers: {} }, '/p/id'), undefined)
  })

  it('are made so that a process can join each of them', async () => {
    const layout = await detectCgroups({ driver: 'cgroupfs' })
    const parent = `/lighter-cgroup-test-${process.pid}`
    const path = `${parent}/id`
    try {
      const directories = await makeCgroup(layout, path)
      assert.deepEqual(await makeCgroup(layout, path), directories)
      const own = await readFile('/proc/self/cgroup', 'utf8')
      for (const directory of directories) await writeFile(`${directory}/cgroup.procs`, String(process.pid))
      const joined = await readFile('/proc/self/cgroup', 'utf8')
      await goBack(layout, own)
      for (const line of joined.trim().split('\n')) assert.ok(line.endsWith(`:${path}`), line)
    } finally {
      for (const directory of [...cgroupDirectories(layout, path), ...cgroupDirectories(layout, parent)]) {
        await rmdir(directory)
      }
    }
  })
})

/** Puts this process back to where /proc/self/cgroup said that it was. */
async function goBack(layout: CgroupLayout, own: string): Promise<void> {
  for (const line of own.trim().split('\n')) {
    const [, controllers = '', path = ''] = line.split(':')
    const root = controllers === '' ? layout.unified : layout.controllers[controllers.split(',')[0] ?? '']
    if (root !== undefined) await writeFile(`${root}${path}/cgroup.procs`, String(process.pid))
  }
}
