import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import type { CgroupLayout } from './cgroups.ts'
import { setHugepageLimits } from './hugepages.ts'

describe('hugepage limits of a cgroup', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lighter-hugetlb-'))
    await mkdir(join(root, 'pod/c'), { recursive: true })
    for (const size of ['2MB', '1GB']) {
      await writeFile(join(root, `pod/c/hugetlb.${size}.max`), 'max\n')
      await writeFile(join(root, `pod/c/hugetlb.${size}.limit_in_bytes`), '100\n')
    }
  })
  afterEach(() => rm(root, { recursive: true }))

  const layout = (
    version: 1 | 2,
    controllers: CgroupLayout['controllers'] = { hugetlb: root },
  ): CgroupLayout => ({
    version,
    driver: 'cgroupfs',
    controllers,
    unified: undefined,
    hasSwapAccounting: false,
  })
  const file = async (name: string): Promise<string> =>
    (await readFile(join(root, 'pod/c', name), 'utf8')).trim()

  it('are set for each page size, and can be put back', async () => {
    const limits = [
      { pageSize: '2MB', limitBytes: 4_194_304 },
      { pageSize: '1GB', limitBytes: 0 },
    ]
    const putBack = await setHugepageLimits(layout(2), '/pod/c', limits)
    assert.deepEqual([await file('hugetlb.2MB.max'), await file('hugetlb.1GB.max')], ['4194304', '0'])
    await putBack()
    assert.deepEqual([await file('hugetlb.2MB.max'), await file('hugetlb.1GB.max')], ['max', 'max'])
    await setHugepageLimits(layout(1), '/pod/c', limits)
    assert.equal(await file('hugetlb.2MB.limit_in_bytes'), '4194304')
  })

  it('stay as they were when one of them cannot be set', async () => {
    const limits = [
      { pageSize: '2MB', limitBytes: 4_194_304 },
      { pageSize: '3MB', limitBytes: 0 },
    ]
    await assert.rejects(
      setHugepageLimits(layout(2), '/pod/c', limits),
      err => isKind(err, 'internal') && err.message.includes('/pod/c'),
    )
    assert.equal(await file('hugetlb.2MB.max'), 'max')
  })

  it('are passed over without the controller', async () => {
    await setHugepageLimits(layout(2, {}), '/pod/c', [{ pageSize: '2MB', limitBytes: 1 }])
    assert.equal(await file('hugetlb.2MB.max'), 'max')
  })
})
