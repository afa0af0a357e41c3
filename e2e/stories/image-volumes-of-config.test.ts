import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { busyboxImage, webPage } from '../../deploy/demo/busybox-image.ts'
import { mode } from '../harness/configs.ts'
import { exited } from '../harness/states.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()

/** An image that declares volumes: with content, with an owner, absent from the image, and the root, which cannot be one. */
async function pullImage(s: Story): Promise<string> {
  const volumes = ['/www', '/home/alice/', '/not/there', '/']
  const image = s.registry.put('e2e/volumes', '1', await busyboxImage({ volumes }))
  await s.cri.pull(image)
  return image
}

test(
  'volumes of an image hold what the image has there, and stay writable when the root is not',
  story(async s => {
    const image = await pullImage(s)
    const id = await s.run(await s.runPod(), { image, security: { readonlyRootfs: true } })
    assert.equal(await s.exec(id, 'cat', '/www/index.html'), webPage.trimEnd())
    assert.equal(await s.exec(id, 'stat', '-c', '%u:%g %a', '/home/alice'), '1000:1000 750')
    await s.exec(id, 'sh', '-c', 'echo mine > /www/index.html; echo new > /not/there/file')
    assert.match((await s.cri.exec(id, ['touch', '/var/x'])).stderr, /Read-only file system/)
    const mounts = await s.exec(
      id,
      'sh',
      '-c',
      'grep -c -E " /(www|home/alice|not/there) " /proc/self/mountinfo',
    )
    assert.equal(mounts, '3')
  }),
)

test(
  'each container has volumes of its own, outside of the writable layer, and they go with it',
  story(async s => {
    const image = await pullImage(s)
    const pod = await s.runPod()
    const first = await s.run(pod, { image, shell: 'echo first > /www/index.html' })
    await exited(s.cri, first)
    const second = await s.run(pod, { image, name: 'second' })
    assert.equal(await s.exec(second, 'cat', '/www/index.html'), webPage.trimEnd())
    const layer = join(s.scratch.rootDir, 'rootfs', first)
    assert.deepEqual((await readdir(join(layer, 'volumes'))).sort(), ['0', '1', '2'])
    await assert.rejects(readdir(join(layer, 'upper/www')), { code: 'ENOENT' })
    await s.cri.removeContainer(first)
    await assert.rejects(readdir(layer), { code: 'ENOENT' })
  }),
)

test(
  'a mount of the container takes the place of a volume',
  story(async s => {
    const image = await pullImage(s)
    const mounts = [{ containerPath: '/www', hostPath: join(s.scratch.dir, 'site') }]
    const id = await s.run(await s.runPod(), { image, mounts })
    assert.equal(await s.exec(id, 'ls', '/www'), '')
    await s.exec(id, 'touch', '/www/from-inside')
    assert.deepEqual(await readdir(join(s.scratch.dir, 'site')), ['from-inside'])
  }),
)

test(
  'in a user namespace the volumes belong to the users inside',
  story(async s => {
    const image = await pullImage(s)
    const mapping = { containerId: 0, hostId: 400_000, length: 65_536 }
    const namespaces = {
      pid: mode.CONTAINER,
      usernsOptions: { mode: mode.POD, uids: [mapping], gids: [mapping] },
    }
    const pod = await s.runPod({ namespaces })
    const id = await s.run(pod, { image, security: { namespaceOptions: namespaces } })
    const owners = await s.exec(id, 'stat', '-c', '%u:%g', '/www/index.html', '/home/alice', '/not/there')
    assert.equal(owners, '0:0\n1000:1000\n0:0')
    await s.exec(id, 'sh', '-c', 'echo mine > /www/index.html; echo new > /not/there/file')
    assert.equal(await s.exec(id, 'cat', '/www/index.html', '/not/there/file'), 'mine\nnew')
  }),
)

test(
  'HOME is that of the user in the image, unless the container sets it',
  story(async s => {
    const pod = await s.runPod()
    const homeOf = async (name: string, overrides: object): Promise<string> =>
      s.exec(await s.run(pod, { name, ...overrides }), 'sh', '-c', 'echo $HOME')
    assert.equal(await homeOf('root', {}), '/root')
    assert.equal(await homeOf('alice', { security: { runAsUsername: 'alice' } }), '/home/alice')
    assert.equal(await homeOf('set', { env: { HOME: '/elsewhere' } }), '/elsewhere')
  }),
)
