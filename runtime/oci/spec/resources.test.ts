import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import type { CgroupLayout } from '../../host/cgroups.ts'
import type { LinuxResources } from '../../model/linux.ts'
import { sampleFacts, sampleResources } from '../testing/samples.ts'
import { containerResources } from './resources.ts'
import type { ContainerDeviceNode } from './spec-input.ts'
import type { ResourcesSpec } from './types.ts'

const v1 = sampleFacts.cgroups
const v2: CgroupLayout = {
  ...v1,
  version: 2,
  controllers: { memory: '/sys/fs/cgroup', hugetlb: '/sys/fs/cgroup' },
  unified: '/sys/fs/cgroup',
}

function limitsOf(change: Partial<LinuxResources>, cgroups = v1): Omit<ResourcesSpec, 'devices'> {
  const resources = { ...sampleResources, ...change }
  const found = containerResources({ resources, hasAllDevices: false, devices: [], cgroups })
  return Object.fromEntries(Object.entries(found).filter(([key]) => key !== 'devices'))
}

describe('limits of a container', () => {
  const cases: readonly [string, Partial<LinuxResources>, CgroupLayout, unknown][] = [
    ['nothing is set', {}, v1, {}],
    ['memory, with swap counted in', { memoryLimitBytes: 1000 }, v1, { memory: { limit: 1000, swap: 1000 } }],
    [
      'memory and swap as given',
      { memoryLimitBytes: 1000, memorySwapLimitBytes: 3000 },
      v1,
      { memory: { limit: 1000, swap: 3000 } },
    ],
    [
      'no swap where the kernel does not count it',
      { memoryLimitBytes: 1000, memorySwapLimitBytes: 3000 },
      { ...v1, hasSwapAccounting: false },
      { memory: { limit: 1000 } },
    ],
    [
      'processor time, shares and sets',
      { cpuPeriodUs: 100_000, cpuQuotaUs: -1, cpuShares: 2, cpusetCpus: '0-1', cpusetMems: '0' },
      v1,
      { cpu: { period: 100_000, quota: -1, shares: 2, cpus: '0-1', mems: '0' } },
    ],
    [
      'no huge pages without their controller',
      { hugepageLimits: [{ pageSize: '2MB', limitBytes: 0 }] },
      v1,
      {},
    ],
    [
      'huge pages',
      { hugepageLimits: [{ pageSize: '2MB', limitBytes: 0 }] },
      v2,
      { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
    ],
    [
      'files of cgroup v2 by name',
      { unified: { 'memory.high': '1000', 'hugetlb.1GB.max': '0' } },
      v2,
      { unified: { 'memory.high': '1000', 'hugetlb.1GB.max': '0' } },
    ],
  ]
  for (const [name, change, cgroups, expected] of cases) {
    it(`are ${name}`, () => {
      assert.deepEqual(limitsOf(change, cgroups), expected)
    })
  }

  const wrong: readonly Partial<LinuxResources>[] = [
    { cpuShares: -1 },
    { cpuQuotaUs: -2 },
    { cpuPeriodUs: 0.5 },
    { memoryLimitBytes: -5 },
    { cpusetCpus: '0\n1' },
    { cpusetMems: 'all' },
    { hugepageLimits: [{ pageSize: '2MB', limitBytes: -1 }] },
    { unified: { '../memory.max': '1' } },
    { unified: { 'memory.max/x': '1' } },
  ]
  for (const change of wrong) {
    it(`are refused for ${JSON.stringify(change)}`, () => {
      assert.throws(
        () => limitsOf(change, v2),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }

  it('have no files of cgroup v2 on v1', () => {
    assert.throws(
      () => limitsOf({ unified: { 'memory.high': '1' } }, v1),
      err => isKind(err, 'failed-precondition'),
    )
  })
})

describe('device access of a container', () => {
  const node = { path: '/dev/x', type: 'c', major: 10, minor: 229, fileMode: 0o600, uid: 0, gid: 0 } as const
  const device: ContainerDeviceNode = { node, access: 'rw' }

  it('is denied but for its own devices', () => {
    const found = containerResources({
      resources: undefined,
      hasAllDevices: false,
      devices: [device],
      cgroups: v1,
    })
    assert.deepEqual(found, {
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
      ],
    })
  })

  it('is open when privileged', () => {
    const found = containerResources({
      resources: undefined,
      hasAllDevices: true,
      devices: [device],
      cgroups: v1,
    })
    assert.deepEqual(found.devices, [{ allow: true, access: 'rwm' }])
  })
})
