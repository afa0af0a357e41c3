import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { silentLog } from '#base/log'
import type { Container } from '../model/container.ts'
import type { Pod } from '../model/pod.ts'
import { sampleContainer, sampleContainerConfig, samplePod, samplePodConfig } from '../testing/samples.ts'
import { decodeContainer, encodeContainer } from './container-record.ts'
import { decodePod, encodePod } from './pod-record.ts'
import { createRecordStore, type RecordStore } from './record-store.ts'

const fullPod = samplePod({
  config: samplePodConfig({
    dns: { servers: ['10.0.0.10'], searches: ['svc'], options: ['ndots:5'] },
    portMappings: [{ protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' }],
    sysctls: { 'net.core.somaxconn': '1024' },
    seccomp: { type: 'localhost', ref: '/profiles/x.json' },
    selinux: { user: 'u', role: 'r', type: 't', level: 's0' },
  }),
  pausePid: 17,
})

const fullContainer = sampleContainer({
  config: sampleContainerConfig({
    envs: [{ key: 'A', value: 'ä=1' }],
    resources: {
      cpuPeriodUs: 100_000,
      cpuQuotaUs: -1,
      cpuShares: 2,
      memoryLimitBytes: 2 ** 40,
      memorySwapLimitBytes: 0,
      oomScoreAdj: -998,
      cpusetCpus: '0-1',
      cpusetMems: '',
      hugepageLimits: [{ pageSize: '2MB', limitBytes: 0 }],
      unified: { 'memory.high': 'max' },
    },
  }),
  finishedAtNs: 1_800_000_000_123_456_789n,
  exit: { exitCode: 137, reason: 'OOMKilled', message: '' },
})

async function podStore(t: TestContext): Promise<{ store: RecordStore<Pod>; directory: string }> {
  const base = await mkdtemp(join(tmpdir(), 'lighter-records-'))
  t.after(() => rm(base, { recursive: true }))
  const directory = join(base, 'pods')
  const store = createRecordStore<Pod>({
    directory,
    quarantineDirectory: join(base, 'quarantine'),
    durability: 'power loss',
    encode: encodePod,
    decode: decodePod,
    log: silentLog,
  })
  await store.load()
  return { store, directory }
}

test('a pod and a container come back from their records as they were', () => {
  for (const pod of [samplePod(), fullPod]) {
    assert.deepEqual(decodePod(JSON.parse(JSON.stringify(encodePod(pod)))), pod)
  }
  for (const container of [sampleContainer(), fullContainer] satisfies Container[]) {
    assert.deepEqual(decodeContainer(JSON.parse(JSON.stringify(encodeContainer(container)))), container)
  }
})

test('a record of another version or shape is refused', () => {
  const good = JSON.parse(JSON.stringify(encodePod(fullPod))) as Record<string, unknown>
  for (const bad of [
    { ...good, version: 99 },
    { ...good, id: '../x' },
    { ...good, phase: 'odd' },
    [],
    null,
    'x',
  ]) {
    assert.throws(() => decodePod(bad))
  }
})

test('written records are loaded again, removed ones are not', async t => {
  const { store } = await podStore(t)
  const gone = samplePod()
  await store.write(fullPod.id, fullPod)
  await store.write(gone.id, gone, 'process death')
  await store.remove(gone.id)
  await store.remove(gone.id)
  assert.deepEqual([...(await store.load())], [[fullPod.id, fullPod]])
})

test('a record that does not parse is set aside whole, and the others are loaded', async t => {
  const { store, directory } = await podStore(t)
  await store.write(fullPod.id, fullPod)
  await writeFile(join(directory, 'torn.json'), '{"version":1,"id":')
  assert.deepEqual([...(await store.load())], [[fullPod.id, fullPod]])
  assert.deepEqual(await readdir(directory), [`${fullPod.id}.json`])
  const quarantine = join(directory, '..', 'quarantine')
  const [kept] = await readdir(quarantine)
  assert.ok(kept !== undefined && kept.endsWith('-torn.json'))
  assert.equal(await readFile(join(quarantine, kept), 'utf8'), '{"version":1,"id":')
})

test('the rest of an interrupted write is removed and does not count', async t => {
  const { store, directory } = await podStore(t)
  await writeFile(join(directory, `${fullPod.id}.json.1-0.tmp`), '{}')
  assert.equal((await store.load()).size, 0)
  assert.deepEqual(await readdir(directory), [])
})
