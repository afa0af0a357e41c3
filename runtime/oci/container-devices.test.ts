import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { isKind } from '#base/errors'
import type { ContainerDevice } from '../model/container.ts'
import { containerDevices } from './container-devices.ts'
import type { ContainerDeviceNode } from './spec/spec-input.ts'
import { sampleConfig, sampleSecurity } from './testing/samples.ts'

const exec = promisify(execFile)
const options = { hasAllDevices: true, hasDevicesOfUser: false }

describe('devices of a container', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lighter-devices-'))
    await mkdir(join(directory, 'tree/deep'), { recursive: true })
    await exec('mknod', ['-m', '640', join(directory, 'zero'), 'c', '1', '5'])
    await chown(join(directory, 'zero'), 12, 34)
    await exec('mknod', ['-m', '600', join(directory, 'tree/big'), 'b', '259', '300000'])
    await exec('mknod', ['-m', '600', join(directory, 'tree/deep/null'), 'c', '1', '3'])
    await exec('mkfifo', [join(directory, 'tree/fifo')])
    await writeFile(join(directory, 'file'), '')
    await symlink('zero', join(directory, 'link'))
  })
  after(() => rm(directory, { recursive: true }))

  function devicesOf(device: ContainerDevice): Promise<readonly ContainerDeviceNode[]> {
    return containerDevices({ ...sampleConfig, devices: [device] }, options)
  }
  const at = (name: string): string => join(directory, name)
  const zero = { type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 12, gid: 34 }

  it('have the number, mode and owner of those of the host', async () => {
    const found = await devicesOf({ hostPath: at('zero'), containerPath: '/dev/nought', permissions: 'rw' })
    assert.deepEqual(found, [{ node: { path: '/dev/nought', ...zero }, access: 'rw', hostPath: at('zero') }])
  })

  it('may be named by a link, and have all access unless less is given', async () => {
    const found = await devicesOf({ hostPath: at('link'), containerPath: 'dev/link', permissions: '' })
    assert.deepEqual(found, [{ node: { path: '/dev/link', ...zero }, access: 'rwm', hostPath: at('link') }])
  })

  it('may be a whole tree, without what is no device', async () => {
    const found = await devicesOf({ hostPath: at('tree'), containerPath: '/dev/t', permissions: 'r' })
    const summary = found.map(({ node }) => [node.path, node.type, node.major, node.minor]).sort()
    assert.deepEqual(summary, [
      ['/dev/t/big', 'b', 259, 300_000],
      ['/dev/t/deep/null', 'c', 1, 3],
    ])
  })

  it('are those of the config only when the handler of a privileged container says so', async () => {
    const device = { hostPath: at('zero'), containerPath: '/dev/nought', permissions: 'r' }
    const security = { ...sampleSecurity, isPrivileged: true }
    const config = { ...sampleConfig, devices: [device], security }
    const found = await containerDevices(config, { ...options, hasAllDevices: false })
    assert.deepEqual(found, [{ node: { path: '/dev/nought', ...zero }, access: 'r', hostPath: at('zero') }])
  })

  it('belong to the user of the container where the handler says so', async () => {
    const device = { hostPath: at('zero'), containerPath: '/dev/nought', permissions: 'r' }
    const owner = async (runAs: Partial<typeof sampleSecurity>) => {
      const config = { ...sampleConfig, devices: [device], security: { ...sampleSecurity, ...runAs } }
      const [found] = await containerDevices(config, { ...options, hasDevicesOfUser: true })
      return [found?.node.uid, found?.node.gid]
    }
    assert.deepEqual(await owner({ runAsUser: 1000, runAsGroup: 2000 }), [1000, 2000])
    assert.deepEqual(await owner({ runAsUser: 1000 }), [1000, 34])
    assert.deepEqual(await owner({}), [12, 34])
  })

  it('are also those of the host when privileged, but for its terminals', async () => {
    const device = { hostPath: at('zero'), containerPath: '/dev/null', permissions: 'r' }
    const security = { ...sampleSecurity, isPrivileged: true }
    const found = await containerDevices({ ...sampleConfig, devices: [device], security }, options)
    const byPath = new Map(found.map(entry => [entry.node.path, entry]))
    assert.equal(byPath.get('/dev/full')?.access, 'rwm')
    const expected = { node: { path: '/dev/null', ...zero }, access: 'r', hostPath: at('zero') }
    assert.deepEqual(byPath.get('/dev/null'), expected)
    assert.equal(byPath.has('/dev/console'), false)
    assert.equal(byPath.size, found.length)
  })

  const wrong = [
    { change: { hostPath: 'zero' }, kind: 'invalid-argument' },
    { change: { containerPath: '' }, kind: 'invalid-argument' },
    { change: { permissions: 'rx' }, kind: 'invalid-argument' },
    { change: { hostPath: '/no/such/device' }, kind: 'not-found' },
    { change: { hostPath: '/etc/passwd' }, kind: 'invalid-argument' },
  ] as const
  for (const { change, kind } of wrong) {
    it(`are ${kind} for ${JSON.stringify(change)}`, async () => {
      const device = { hostPath: '/dev/null', containerPath: '/dev/x', permissions: 'r', ...change }
      await assert.rejects(devicesOf(device), err => isKind(err, kind))
    })
  }
})
