import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClock } from '#base/clock'
import { kindOf } from '#base/errors'
import { silentLog } from '#base/log'
import { type AttachmentCache, createAttachmentCache } from './cache.ts'
import type { CacheEntry } from './cache-entry.ts'
import { parseConfList } from './conf-list.ts'
import { cniLimits } from './limits.ts'
import { parseResult } from './result.ts'
import { cleanup, testDirectory } from './testing/test-network.ts'

async function cacheIn(cacheDir: string): Promise<AttachmentCache> {
  const cache = createAttachmentCache({ cacheDir, clock: createClock(), log: silentLog })
  await cache.start()
  return cache
}

function entry(changes: Partial<CacheEntry> = {}): CacheEntry {
  const plugins = [{ type: 'bridge', ipam: { type: 'host-local' } }]
  const list = { cniVersion: '0.4.0', name: 'net', disableCheck: true, plugins }
  return {
    containerId: 'c1',
    netnsPath: '/run/netns/x',
    args: { K8S_POD_NAME: 'web' },
    capabilities: { portMappings: [{ hostPort: 80 }] },
    list: parseConfList('/net.d/1.conflist', JSON.stringify(list)),
    version: '0.4.0',
    result: parseResult({ ips: [{ address: '10.0.0.2/24' }], routes: [{ dst: '0.0.0.0/0', mtu: 1400 }] }),
    ...changes,
  }
}

test('an entry is read back as it was written, by another cache too', async test => {
  const directory = join(await testDirectory(cleanup(test)), 'a', 'b')
  const cache = await cacheIn(directory)
  const { result } = entry()
  for (const written of [entry({ result: undefined }), entry()]) {
    await cache.write(written)
    if (written.result && result) await cache.writeResult('c1', result)
    const again = await cacheIn(directory)
    assert.deepEqual(again.ids(), ['c1'])
    assert.deepEqual(await again.read('c1'), written)
  }
  assert.equal((await stat(join(directory, 'c1.json'))).mode & 0o007, 0)
  await cache.forget('c1')
  await cache.forget('c1')
  assert.deepEqual(
    [cache.has('c1'), await cache.read('c1'), await readdir(directory)],
    [false, undefined, []],
  )
})

test('numbers of capabilities that no double holds exactly do no harm', async test => {
  const directory = await testDirectory(cleanup(test))
  const cache = await cacheIn(directory)
  const written = entry({ capabilities: { bandwidth: { ingressRate: 2 ** 70 } }, result: undefined })
  await cache.write(written)
  assert.deepEqual(await cache.read('c1'), written)
})

test('an entry that could not be read again is refused, and is not there', async test => {
  const directory = await testDirectory(cleanup(test))
  const cache = await cacheIn(directory)
  const note = 'x'.repeat(cniLimits.cacheFileBytes)
  await assert.rejects(cache.write(entry({ args: { note } })), err => kindOf(err) === 'invalid-argument')
  assert.equal(cache.has('c1'), false)
  assert.deepEqual(await readdir(directory), [])
})

test('what a crash left half-written is removed at start', async test => {
  const directory = await testDirectory(cleanup(test))
  await writeFile(join(directory, 'c1.json.12-0.tmp'), '{"for')
  await writeFile(join(directory, 'c2.result'), '{}')
  const cache = await cacheIn(directory)
  assert.deepEqual([cache.ids(), await readdir(directory)], [[], []])
})

test('an entry that cannot be written is not there', async test => {
  const directory = await testDirectory(cleanup(test))
  const cache = await cacheIn(directory)
  await mkdir(join(directory, 'c1.json'))
  await assert.rejects(cache.write(entry()), err => kindOf(err) === 'internal')
  assert.equal(cache.has('c1'), false)
})

const good = {
  format: 1,
  containerId: 'c1',
  confFile: '/x',
  confList: { name: 'n', plugins: [{ type: 'a' }] },
}
const broken: readonly { readonly name: string; readonly text: string }[] = [
  { name: 'no bytes', text: '' },
  { name: 'half an object', text: '{"format":1,"containerId":"c1"' },
  { name: 'a later format', text: JSON.stringify({ ...good, format: 2 }) },
  { name: 'the id of another', text: JSON.stringify({ ...good, containerId: 'c2' }) },
  { name: 'a conf list without plugins', text: JSON.stringify({ ...good, confList: { name: 'n' } }) },
]

for (const { name, text } of broken) {
  test(`a file with ${name} goes to quarantine and the attachment stays known`, async test => {
    const directory = await testDirectory(cleanup(test))
    await writeFile(join(directory, 'c1.json'), text)
    const cache = await cacheIn(directory)
    assert.deepEqual(await cache.read('c1'), { containerId: 'c1', list: undefined })
    const [kept = ''] = await readdir(join(directory, 'quarantine'))
    assert.equal(await readFile(join(directory, 'quarantine', kept), 'utf8'), text)
    const again = await cacheIn(directory)
    assert.deepEqual(again.ids(), ['c1'])
    assert.deepEqual(await again.read('c1'), { containerId: 'c1', list: undefined })
    assert.equal((await readdir(join(directory, 'quarantine'))).length, 1)
  })
}

test('a broken result is none, and the entry is still good', async test => {
  const directory = await testDirectory(cleanup(test))
  const cache = await cacheIn(directory)
  await cache.write(entry())
  for (const text of ['', '{"ips":7}']) {
    await writeFile(join(directory, 'c1.result'), text)
    assert.deepEqual(await cache.read('c1'), entry({ result: undefined }))
  }
})

test('a file without end is not read, but put into quarantine', async test => {
  const directory = await testDirectory(cleanup(test))
  await writeFile(join(directory, 'c1.json'), '')
  await truncate(join(directory, 'c1.json'), cniLimits.cacheFileBytes + 1)
  const cache = await cacheIn(directory)
  assert.deepEqual(await cache.read('c1'), { containerId: 'c1', list: undefined })
  assert.equal((await readdir(join(directory, 'quarantine'))).length, 1)
})
