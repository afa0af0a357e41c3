import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { type CgroupDriver, type CgroupLayout, detectCgroups } from './cgroups.ts'

describe('the control groups of a machine', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-cgroups-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  async function detect(
    lines: readonly string[],
    options: { readonly driver?: CgroupDriver | 'auto'; readonly hasSystemd?: boolean } = {},
  ): Promise<CgroupLayout> {
    const mountinfoPath = join(directory, 'mountinfo')
    await writeFile(mountinfoPath, lines.join('\n'))
    const systemdPath = join(directory, 'systemd')
    if (options.hasSystemd) await mkdir(systemdPath)
    return detectCgroups({ driver: options.driver ?? 'auto', mountinfoPath, systemdPath })
  }

  const legacy = (name: string, controllers: string): string =>
    `34 31 0:31 / ${join(directory, name)} rw,relatime shared:9 - cgroup cgroup rw,${controllers}`
  const unified = (name: string): string =>
    `41 31 0:38 / ${join(directory, name)} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot`

  async function makeUnified(): Promise<string> {
    const root = join(directory, 'v2')
    await mkdir(join(root, 'system.slice'), { recursive: true })
    await writeFile(join(root, 'cgroup.controllers'), 'cpuset cpu io memory hugetlb pids\n')
    return root
  }

  it('are v1 with a directory per controller, named hierarchies among them', async () => {
    const found = await detect([
      legacy('cpu,cpuacct', 'cpu,cpuacct'),
      legacy('memory', 'memory,clone_children'),
      legacy('systemd', 'xattr,release_agent=/lib/agent,name=systemd'),
    ])
    assert.deepEqual(found, {
      version: 1,
      driver: 'cgroupfs',
      controllers: {
        cpu: join(directory, 'cpu,cpuacct'),
        cpuacct: join(directory, 'cpu,cpuacct'),
        memory: join(directory, 'memory'),
        'name=systemd': join(directory, 'systemd'),
      },
      unified: undefined,
      hasSwapAccounting: false,
    })
  })

  it('are v1 on a hybrid machine, too, whatever hangs on the v2 hierarchy', async () => {
    await mkdir(join(directory, 'memory'))
    await writeFile(join(directory, 'memory/memory.memsw.limit_in_bytes'), '')
    const found = await detect([legacy('memory', 'memory'), unified('unified')], { hasSystemd: true })
    assert.equal(found.version, 1)
    assert.equal(found.driver, 'cgroupfs')
    assert.equal(found.unified, join(directory, 'unified'))
    assert.equal(found.hasSwapAccounting, true)
    assert.equal(found.controllers.hugetlb, undefined)
  })

  it('are found where they were mounted first', async () => {
    const found = await detect([legacy('memory', 'memory'), legacy('copy', 'memory')])
    assert.equal(found.controllers.memory, join(directory, 'memory'))
  })

  it('are v2 with all controllers in one place, driven by systemd where it runs', async () => {
    const root = await makeUnified()
    const found = await detect([unified('v2')], { hasSystemd: true })
    assert.equal(found.version, 2)
    assert.equal(found.driver, 'systemd')
    assert.equal(found.controllers.memory, root)
    assert.equal(found.controllers.hugetlb, root)
    assert.equal(found.hasSwapAccounting, false)
  })

  it('are driven by files without systemd, and when that is asked for', async () => {
    const root = await makeUnified()
    await writeFile(join(root, 'system.slice/memory.swap.max'), 'max\n')
    const found = await detect([unified('v2')])
    assert.equal(found.driver, 'cgroupfs')
    assert.equal(found.hasSwapAccounting, true)
    const asked = await detect([unified('v2')], { hasSystemd: true, driver: 'cgroupfs' })
    assert.equal(asked.driver, 'cgroupfs')
  })

  it('cannot be driven by a systemd that does not run', async () => {
    await assert.rejects(detect([legacy('memory', 'memory')], { driver: 'systemd' }), err =>
      isKind(err, 'failed-precondition'),
    )
  })

  it('cannot be driven by a systemd without a v1 hierarchy of its own', async () => {
    await assert.rejects(
      detect([legacy('memory', 'memory')], { driver: 'systemd', hasSystemd: true }),
      err => isKind(err, 'failed-precondition') && err.message.includes('name=systemd'),
    )
  })

  it('are an error when there are none', async () => {
    await assert.rejects(detect(['22 1 0:20 / / rw - ext4 /dev/vda rw']), err =>
      isKind(err, 'failed-precondition'),
    )
  })
})
