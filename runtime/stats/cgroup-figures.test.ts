import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { type CgroupLayout, detectCgroups } from '../host/cgroups.ts'
import { readCgroupFigures } from './cgroup-figures.ts'

const nothing = {
  cpuUsageNs: 0n,
  memory: { usage: 0, workingSet: 0, rss: 0, available: 0, pageFaults: 0, majorPageFaults: 0 },
  pids: 0,
}

describe('the figures of a cgroup', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lighter-stats-'))
  })
  afterEach(() => rm(root, { recursive: true }))

  async function write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true })
      await writeFile(join(root, name), text)
    }
  }

  function layout(version: 1 | 2): CgroupLayout {
    const names = ['cpu', 'cpuacct', 'memory', 'pids']
    return {
      version,
      driver: 'cgroupfs',
      controllers: Object.fromEntries(names.map(name => [name, version === 2 ? root : join(root, name)])),
      unified: version === 2 ? root : undefined,
      hasSwapAccounting: true,
    }
  }

  it('are read from the files of v1', async () => {
    await write({
      'cpuacct/p/id/cpuacct.usage': '9007199254740993123\n',
      'memory/p/id/memory.usage_in_bytes': '1000\n',
      'memory/p/id/memory.limit_in_bytes': '5000\n',
      'memory/p/id/memory.stat':
        'inactive_file 1\ntotal_rss 300\ntotal_inactive_file 400\ntotal_pgfault 7\ntotal_pgmajfault 2\n',
      'pids/p/id/pids.current': '3\n',
    })
    assert.deepEqual(await readCgroupFigures(layout(1), '/p/id'), {
      cpuUsageNs: 9007199254740993123n,
      memory: { usage: 1000, workingSet: 600, rss: 300, available: 4400, pageFaults: 7, majorPageFaults: 2 },
      pids: 3,
    })
  })

  it('are read from the files of v2', async () => {
    await write({
      'p/id/cpu.stat': 'usage_usec 1234567\nuser_usec 1\n',
      'p/id/memory.current': '1000\n',
      'p/id/memory.max': '5000\n',
      'p/id/memory.stat': 'anon 300\ninactive_file 400\npgfault 7\npgmajfault 2\n',
      'p/id/pids.current': '3\n',
    })
    assert.deepEqual(await readCgroupFigures(layout(2), '/p/id'), {
      cpuUsageNs: 1234567000n,
      memory: { usage: 1000, workingSet: 600, rss: 300, available: 4400, pageFaults: 7, majorPageFaults: 2 },
      pids: 3,
    })
  })

  const unlimited = [
    { version: 1, file: 'memory/p/memory.limit_in_bytes', limit: '9223372036854771712\n' },
    { version: 2, file: 'p/memory.max', limit: 'max\n' },
  ] as const
  for (const { version, file, limit } of unlimited) {
    it(`leave nothing available to tell without a limit (v${version})`, async () => {
      await write({ [file]: limit })
      assert.equal((await readCgroupFigures(layout(version), '/p')).memory.available, 0)
    })
  }

  it('have no working set below zero', async () => {
    await write({ 'p/memory.current': '10\n', 'p/memory.max': '5\n', 'p/memory.stat': 'inactive_file 400\n' })
    const { memory } = await readCgroupFigures(layout(2), '/p')
    assert.equal(memory.workingSet, 0)
    assert.equal(memory.available, 5)
  })

  for (const version of [1, 2] as const) {
    for (const path of ['/gone', '']) {
      it(`are zeros for the cgroup "${path}" that does not exist (v${version})`, async () => {
        assert.deepEqual(await readCgroupFigures(layout(version), path), nothing)
      })
    }
  }

  it('are not zeros for a real cgroup', async () => {
    const found = await readCgroupFigures(await detectCgroups({ driver: 'cgroupfs' }), '/')
    assert.ok(found.cpuUsageNs > 0n)
  })
})
