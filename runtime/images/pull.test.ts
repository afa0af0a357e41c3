import assert from 'node:assert/strict'
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { makeImage } from './testing/image-builder.ts'
import { startRegistry, type TestRegistry } from './testing/registry.ts'
import { type StoreBench, startStore } from './testing/store.ts'

let bench: StoreBench
let registry: TestRegistry

before(async () => {
  bench = await startStore()
  registry = await startRegistry()
})

after(async () => {
  await bench.close()
  await registry.close()
})

test('an image is pulled, listed, and its layers are unpacked', async () => {
  const image = makeImage({
    layers: [
      [
        { name: 'tmp', type: 'directory', mode: 0o1777 },
        { name: 'etc/passwd', content: 'root' },
      ],
      [{ name: 'tmp/file', content: 'in a directory of the layer below' }],
    ],
    config: { config: { Env: ['A=b'], User: 'nobody', Labels: { x: 'y' } } },
  })
  registry.addImage('team/app', 'v1', image)
  const reference = `${registry.host}/team/app:v1`
  const id = await bench.store.pull(bench.ctx, { reference, auth: undefined })
  assert.equal(id, image.id)
  const found = bench.store.find(reference)
  assert.deepEqual(found?.repoTags, [reference])
  assert.deepEqual(found.repoDigests, [`${registry.host}/team/app@${image.manifest.digest}`])
  assert.deepEqual(found.config.env, ['A=b'])
  const lower = join(bench.root, 'snapshots', '1')
  const upper = join(bench.root, 'snapshots', '2')
  const files = [await readFile(join(lower, 'etc/passwd'), 'utf8').catch(() => 'upper')]
  assert.ok(files[0] === 'root' || (await readFile(join(upper, 'etc/passwd'), 'utf8')) === 'root')
  for (const layer of [lower, upper]) {
    assert.equal((await lstat(join(layer, 'tmp'))).mode & 0o7777, 0o1777)
    assert.equal((await lstat(layer)).mode & 0o7777, 0o755)
  }
})
