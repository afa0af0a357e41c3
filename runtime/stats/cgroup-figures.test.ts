import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type CgroupLayout, detectCgroups } from '../host/cgroups.ts'
import { readCgroupDetail } from './cgroup-detail.ts'
import { type CgroupFigures, cgroupFiles, readCgroupFigures } from './cgroup-figures.ts'
import { type FixtureTree, legacyFiles, makeFixtureTree, unifiedFiles } from './testing/fixture-tree.ts'
import { createTextFiles } from './text-files.ts'

const kinds = ['v1', 'hybrid', 'v2'] as const

function figures(layout: CgroupLayout, path: string): Promise<CgroupFigures> {
  const files = createTextFiles()
  return readCgroupFigures(
    layout,
    cgroupFiles(layout, path, file => files.read(file)),
  )
}

const busyMemory = {
  usage: 50331648,
  workingSet: 46137344,
  rss: 20971520,
  available: 20971520,
  pageFaults: 123456,
  majorPageFaults: 78,
}
const pressure = {
  cpu: {
    some: { avg10: 12.5, avg60: 3.25, avg300: 1, totalUs: 7654321 },
    full: { avg10: 10, avg60: 2, avg300: 0.5, totalUs: 1234567 },
  },
  memory: {
    some: { avg10: 0, avg60: 0, avg300: 0, totalUs: 2000000 },
    full: { avg10: 0, avg60: 0, avg300: 0, totalUs: 1000000 },
  },
  io: {
    some: { avg10: 0.1, avg60: 0.2, avg300: 0.3, totalUs: 5000000 },
    full: { avg10: 0, avg60: 0, avg300: 0, totalUs: 4000000 },
  },
}

test('a cgroup of v2 tells everything, pressure and swap included', async t => {
  const tree = await makeFixtureTree(t)
  await tree.write(unifiedFiles('p/id'))
  assert.deepEqual(await figures(tree.layout('v2'), '/p/id'), {
    cpu: { usageNs: 2_500_000_000n, pressure: pressure.cpu },
    memory: { ...busyMemory, pressure: pressure.memory },
    swap: { usage: 1048576, available: 3145728 },
    ioPressure: pressure.io,
  })
})

test('a cgroup of v1 has the same figures and no pressure', async t => {
  const tree = await makeFixtureTree(t)
  await tree.write(legacyFiles('p/id'))
  assert.deepEqual(await figures(tree.layout('v1'), '/p/id'), {
    cpu: { usageNs: 9007199254740993123n, pressure: undefined },
    memory: { ...busyMemory, pressure: undefined },
    swap: { usage: 1048576, available: 3145728 },
    ioPressure: undefined,
  })
})

test('a hybrid machine has pressure on its v2 hierarchy', async t => {
  const tree = await makeFixtureTree(t)
  await tree.write({ ...legacyFiles('p/id'), ...unifiedFiles('unified/p/id') })
  const found = await figures(tree.layout('hybrid'), '/p/id')
  assert.equal(found.cpu.usageNs, 9007199254740993123n)
  assert.deepEqual(found.cpu.pressure, pressure.cpu)
  assert.deepEqual(found.memory.pressure, pressure.memory)
  assert.deepEqual(found.ioPressure, pressure.io)
})

test('an old kernel has no line "full" for the CPU', async t => {
  const tree = await makeFixtureTree(t)
  await tree.write({ 'p/cpu.pressure': 'some avg10=1.00 avg60=2.00 avg300=3.00 total=4\n' })
  assert.deepEqual((await figures(tree.layout('v2'), '/p')).cpu.pressure, {
    some: { avg10: 1, avg60: 2, avg300: 3, totalUs: 4 },
    full: { avg10: 0, avg60: 0, avg300: 0, totalUs: 0 },
  })
})

const noMemoryLimits = [
  { kind: 'v1', files: { 'memory/p/memory.limit_in_bytes': '9223372036854771712\n' } },
  { kind: 'v2', files: { 'p/memory.max': 'max\n' } },
] as const
for (const { kind, files } of noMemoryLimits) {
  test(`without a memory limit nothing is said to be available (${kind})`, async t => {
    const tree = await makeFixtureTree(t)
    await tree.write(files)
    assert.equal((await figures(tree.layout(kind), '/p')).memory.available, undefined)
  })
}

const swapCases = [
  {
    what: 'v1 without limits',
    kind: 'v1',
    limits: ['9223372036854771712', '9223372036854771712'],
    swap: undefined,
  },
  { what: 'v1 with room', kind: 'v1', limits: ['1000', '1500'], swap: 400 },
  { what: 'v1 that may not swap', kind: 'v1', limits: ['1000', '1000'], swap: 0 },
  { what: 'v2 without a limit', kind: 'v2', limits: ['max', 'max'], swap: undefined },
  { what: 'v2 with room', kind: 'v2', limits: ['max', '500'], swap: 400 },
  { what: 'v2 that may not swap', kind: 'v2', limits: ['max', '0'], swap: 0 },
] as const
for (const { what, kind, limits, swap } of swapCases) {
  test(`swap that is available to ${what}`, async t => {
    const tree = await makeFixtureTree(t)
    await tree.write(
      kind === 'v1'
        ? {
            'memory/p/memory.limit_in_bytes': `${limits[0]}\n`,
            'memory/p/memory.memsw.limit_in_bytes': `${limits[1]}\n`,
            'memory/p/memory.stat': 'total_swap 100\n',
          }
        : { 'p/memory.swap.current': '100\n', 'p/memory.swap.max': `${limits[1]}\n` },
    )
    assert.deepEqual((await figures(tree.layout(kind), '/p')).swap, { usage: 100, available: swap })
  })
}

test('without swap accounting there are no figures of swap', async t => {
  const tree = await makeFixtureTree(t)
  await tree.write(unifiedFiles('p'))
  const layout = { ...tree.layout('v2'), hasSwapAccounting: false }
  assert.equal((await figures(layout, '/p')).swap, undefined)
})

test('the working set is never below zero', async t => {
  const tree = await makeFixtureTree(t)
  await tree.write({
    'p/memory.current': '10\n',
    'p/memory.max': '5\n',
    'p/memory.stat': 'inactive_file 400\n',
  })
  const { memory } = await figures(tree.layout('v2'), '/p')
  assert.equal(memory.workingSet, 0)
  assert.equal(memory.available, 5)
})

for (const kind of kinds) {
  for (const path of ['/gone', '']) {
    test(`the cgroup "${path}" that does not exist has zeros (${kind})`, async t => {
      const tree = await makeFixtureTree(t)
      assert.deepEqual(await figures(tree.layout(kind), path), {
        cpu: { usageNs: 0n, pressure: undefined },
        memory: {
          usage: 0,
          workingSet: 0,
          rss: 0,
          available: undefined,
          pageFaults: 0,
          majorPageFaults: 0,
          pressure: undefined,
        },
        swap: { usage: 0, available: undefined },
        ioPressure: undefined,
      })
    })
  }
}

test('a real cgroup has real figures', async () => {
  const found = await figures(await detectCgroups({ driver: 'cgroupfs' }), '/')
  assert.ok(found.cpu.usageNs > 0n)
})

async function detail(t: TestContext, kind: 'v1' | 'v2', files: (tree: FixtureTree) => Promise<void>) {
  const tree = await makeFixtureTree(t)
  await files(tree)
  const text = createTextFiles()
  const layout = tree.layout(kind)
  const deps = {
    layout,
    pageSizes: () => Promise.resolve(['2MB']),
    deviceName: (device: string) => Promise.resolve(`/dev/of-${device}`),
  }
  return readCgroupDetail(
    deps,
    cgroupFiles(layout, '/p/id', path => text.read(path)),
  )
}

const commonDetail = {
  cpu: {
    userNs: 1_500_000_000n,
    systemNs: 1_000_000_000n,
    periods: 40,
    throttledPeriods: 12,
    throttledNs: 3_400_000_000n,
  },
  memory: {
    limit: 67108864,
    cache: 16777216,
    kernel: 2097152,
    mappedFiles: 8388608,
    maxUsage: 60000000,
    limitHits: 25,
  },
  oomKills: 1,
  tasks: 7,
}

test('the metrics of v2', async t => {
  const found = await detail(t, 'v2', tree => tree.write(unifiedFiles('p/id')))
  assert.deepEqual(found, {
    ...commonDetail,
    memory: { ...commonDetail.memory, swapLimit: 4194304, reservation: 1048576 },
    devices: [
      {
        name: '/dev/of-8:16',
        major: 8,
        minor: 16,
        bytes: { Read: 1459200, Write: 314773504, Discard: 0 },
        operations: { Read: 192, Write: 353, Discard: 0 },
      },
      {
        name: '/dev/of-8:0',
        major: 8,
        minor: 0,
        bytes: { Read: 90430464, Write: 299008000, Discard: 50331648 },
        operations: { Read: 8950, Write: 1252, Discard: 3021 },
      },
    ],
    hugepages: [{ pageSize: '2MB', usage: 4194304, maxUsage: undefined }],
    tasksLimit: 100,
  })
})

test('the metrics of v1', async t => {
  const found = await detail(t, 'v1', tree => tree.write(legacyFiles('p/id')))
  assert.deepEqual(found, {
    ...commonDetail,
    memory: { ...commonDetail.memory, swapLimit: 71303168, reservation: 0 },
    devices: [
      {
        name: '/dev/of-8:0',
        major: 8,
        minor: 0,
        bytes: {
          Read: 90430464,
          Write: 299008000,
          Sync: 200000000,
          Async: 189438464,
          Discard: 0,
          Total: 389438464,
        },
        operations: { Read: 8950, Write: 1252, Sync: 9000, Async: 1202, Discard: 0, Total: 10202 },
      },
    ],
    hugepages: [{ pageSize: '2MB', usage: 4194304, maxUsage: 6291456 }],
    tasksLimit: 0,
  })
})
