import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountOf, parseMounts, readMounts } from './mountinfo.ts'

const text = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /srv rw - tmpfs tmpfs rw,size=1m
31 30 0:26 / /srv/with\\040blank rw master:4 propagate_from:2 - tmpfs a\\040b rw
32 22 0:27 / /srv rw shared:7 - tmpfs over rw
broken line
33 22 0:28 / /server rw - tmpfs tmpfs rw
`

describe('the mount table', () => {
  const mounts = parseMounts(text)

  it('is read line by line, without what is not one', () => {
    assert.equal(mounts.length, 5)
    assert.deepEqual(mounts[2], {
      mountPoint: '/srv/with blank',
      propagation: ['master:4', 'propagate_from:2'],
      fileSystem: 'tmpfs',
      superOptions: ['rw'],
    })
  })

  const cases = [
    { path: '/', propagation: ['shared:1'] },
    { path: '/etc/passwd', propagation: ['shared:1'] },
    { path: '/srv', propagation: ['shared:7'] },
    { path: '/srv/data', propagation: ['shared:7'] },
    { path: '/srv/with blank/x', propagation: ['master:4', 'propagate_from:2'] },
    { path: '/serverless', propagation: ['shared:1'] },
    { path: '/server/x', propagation: [] },
  ]
  for (const { path, propagation } of cases) {
    it(`tells what ${path} lies on`, () => {
      assert.deepEqual(mountOf(mounts, path)?.propagation, propagation)
    })
  }

  it('of this process has its own /proc', async () => {
    assert.equal(mountOf(await readMounts(), '/proc/self')?.fileSystem, 'proc')
  })
})
