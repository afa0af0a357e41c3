import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { buildImage } from '../../deploy/demo/image-builder.ts'
import type { LayerEntry } from '../../deploy/demo/tar-writer.ts'
import { type ContainerConfig, mode as namespaceMode, podState, propagation } from '../harness/configs.ts'
import { fails } from '../harness/expect.ts'
import { mustRun } from '../harness/program.ts'
import { reboot } from '../harness/reboot.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()

type Mount = NonNullable<ContainerConfig['mounts']>[number]

const file = (path: string, content: string, mode = 0o644): LayerEntry => ({
  type: 'file',
  path,
  content,
  mode,
})
const link = (path: string, target: string): LayerEntry => ({ type: 'symlink', path, target })

/** Two layers; the upper one hides a file and has links that lead out and in. */
const bottom = [file('data/keep', 'kept'), file('data/gone', 'hidden'), file('secret', 'root', 0o4755)]
const top = [
  file('data/.wh.gone', ''),
  file('data/sub/deep', 'deep'),
  file('run', '#!/bin/sh\necho ran\n', 0o755),
  link('data/inside', 'sub'),
  link('data/absolute', '/data/sub'),
  link('data/outside', '../../../../etc'),
  link('data/loop', 'loop'),
  link('data/nowhere', '/not/there'),
]

async function pullData(s: Story): Promise<string> {
  const image = await buildImage({ layers: [{ entries: bottom }, { entries: top }] })
  const reference = s.registry.put('e2e/data', '1', image)
  await s.cri.pull(reference)
  return reference
}

function imageMount(image: string, more: Partial<Mount> = {}): Mount {
  return { containerPath: '/volume', image: { image }, readonly: true, ...more }
}

test(
  'an image is mounted read-only with all of its layers, can be executed, and the status names its id',
  story(async s => {
    const reference = await pullData(s)
    const [imageId] = await s.cri.listImages(reference)
    const id = await s.run(await s.runPod(), { mounts: [imageMount(reference)] })
    assert.equal(await s.exec(id, 'cat', '/volume/data/keep', '/volume/data/sub/deep'), 'keptdeep')
    assert.equal(await s.exec(id, 'ls', '/volume'), 'data\nrun\nsecret')
    assert.notEqual((await s.cri.exec(id, ['ls', '/volume/data/gone'])).exitCode, 0)
    assert.match((await s.cri.exec(id, ['touch', '/volume/new'])).stderr, /Read-only file system/)
    assert.equal(await s.exec(id, '/volume/run'), 'ran')
    const [mount] = (await s.cri.containerStatus(id)).mounts ?? []
    assert.equal(mount?.image?.imageRef, imageId)
    assert.equal(mount?.image?.image, reference)
    assert.equal(mount.readonly, true)
  }),
)

test(
  'an image with a single layer shows no whiteouts, and one without layers is empty',
  story(async s => {
    const single = await buildImage({ layers: [{ entries: [file('a', 'a'), file('.wh.b', '')] }] })
    const empty = await buildImage({ layers: [] })
    const references = [s.registry.put('e2e/single', '1', single), s.registry.put('e2e/empty', '1', empty)]
    for (const reference of references) await s.cri.pull(reference)
    const id = await s.run(await s.runPod(), {
      mounts: references.map((image, n) => imageMount(image, { containerPath: `/volume-${String(n)}` })),
    })
    assert.equal(await s.exec(id, 'ls', '-A', '/volume-0'), 'a')
    assert.equal(await s.exec(id, 'ls', '-A', '/volume-1'), '')
    assert.match((await s.cri.exec(id, ['touch', '/volume-1/new'])).stderr, /Read-only file system/)
  }),
)

for (const { subPath, shows } of [
  { subPath: 'data', shows: /keep\nloop/ },
  { subPath: '/data/sub/', shows: /^deep$/ },
  { subPath: 'data/inside', shows: /^deep$/ },
  { subPath: 'data/absolute', shows: /^deep$/ },
  { subPath: '../../data/./sub', shows: /^deep$/ },
]) {
  test(
    `the sub path ${subPath} is resolved inside the image`,
    story(async s => {
      const image = await pullData(s)
      const id = await s.run(await s.runPod(), { mounts: [imageMount(image, { imageSubPath: subPath })] })
      assert.match(await s.exec(id, 'ls', '/volume'), shows)
      assert.match((await s.cri.exec(id, ['touch', '/volume/new'])).stderr, /Read-only file system/)
    }),
  )
}

test(
  'a sub path can be a file',
  story(async s => {
    const image = await pullData(s)
    const mount = imageMount(image, { imageSubPath: 'data/sub/deep', containerPath: '/etc/deep' })
    const id = await s.run(await s.runPod(), { mounts: [mount] })
    assert.equal(await s.exec(id, 'cat', '/etc/deep'), 'deep')
  }),
)

for (const [what, change, code, message] of [
  ['can be written', { readonly: false }, 'invalidArgument', /readonly/],
  ['propagates', { propagation: propagation.PROPAGATION_BIDIRECTIONAL }, 'invalidArgument', /propagation/],
  ['has a host path, too', { hostPath: '/tmp' }, 'invalidArgument', /either an image or a host_path/],
  ['has other options', { mountOptions: ['dev'] }, 'invalidArgument', /mount_options: "dev"/],
  [
    'is not there',
    { image: { image: 'nobody.example/none:1' } },
    'notFound',
    /nobody\.example\/none:1.*pull it/,
  ],
  ['has no such sub path', { imageSubPath: 'data/none' }, 'notFound', /data\/none/],
  ['has a sub path below a file', { imageSubPath: 'run/x' }, 'notFound', /run\/x/],
  ['has a sub path that leads out', { imageSubPath: 'data/outside' }, 'notFound', /data\/outside/],
  ['has a sub path that leads nowhere', { imageSubPath: 'data/nowhere' }, 'notFound', /data\/nowhere/],
  ['has a sub path that is a loop', { imageSubPath: 'data/loop' }, 'notFound', /data\/loop/],
] as const) {
  test(
    `an image volume that ${what} is refused and leaves nothing`,
    story(async s => {
      const image = await pullData(s)
      const pod = await s.runPod()
      const mounts = [
        imageMount(image, { containerPath: '/good' }),
        imageMount(image, change as Partial<Mount>),
      ]
      await fails(s.create(pod, { mounts }), code, message)
    }),
  )
}

test(
  'options of an image volume hold: noexec and nosuid',
  story(async s => {
    const image = await pullData(s)
    const mount = imageMount(image, { mountOptions: ['noexec', 'nosuid', 'nodev'] })
    const id = await s.run(await s.runPod(), { mounts: [mount] })
    assert.match((await s.cri.exec(id, ['sh', '-c', '/volume/run'])).stderr, /[Pp]ermission denied/)
    assert.match(await s.exec(id, 'cat', '/proc/mounts'), /\/volume overlay ro,nosuid,nodev,noexec/)
  }),
)

test(
  'in a user namespace the files of an image volume are its root’s',
  story(async s => {
    const image = await pullData(s)
    const mapping = { containerId: 0, hostId: 400_000, length: 65_536 }
    const usernsOptions = { mode: namespaceMode.POD, uids: [mapping], gids: [mapping] }
    const mapped = { uidMappings: [mapping], gidMappings: [mapping] }
    const pod = await s.runPod({ namespaces: { usernsOptions } })
    const id = await s.run(pod, {
      mounts: [
        imageMount(image, { containerPath: '/a', ...mapped }),
        imageMount(image, { containerPath: '/b', imageSubPath: 'data/sub/deep' }),
      ],
    })
    assert.equal(await s.exec(id, 'stat', '-c', '%u:%g', '/a/run', '/a/data/sub/deep', '/b'), '0:0\n0:0\n0:0')
  }),
)

test(
  'an image that is removed stays mounted; its layers go with the container',
  story(async s => {
    const image = await pullData(s)
    const id = await s.run(await s.runPod(), { mounts: [imageMount(image)] })
    const layers = async (): Promise<number> => (await readdir(join(s.scratch.rootDir, 'snapshots'))).length
    const before = await layers()
    await s.cri.removeImage(image)
    assert.equal(await layers(), before)
    assert.equal(await s.exec(id, 'cat', '/volume/data/keep'), 'kept')
    await s.cri.removeContainer(id)
    assert.equal(await layers(), before - 4) // two directories, two records
  }),
)

test(
  'image volumes outlive a kill of the daemon, and go after a reboot',
  story(async s => {
    const image = await pullData(s)
    const pod = await s.runPod()
    const running = await s.run(pod, { mounts: [imageMount(image)] })
    const created = await s.create(pod, { name: 'created', mounts: [imageMount(image)] })
    await s.daemon.kill()
    await s.daemon.start()
    assert.equal(await s.exec(running, 'cat', '/volume/data/keep'), 'kept')
    await s.cri.startContainer(created)
    assert.equal(await s.exec(created, 'cat', '/volume/data/keep'), 'kept')
    await s.daemon.kill()
    await reboot.all(s.scratch)
    await s.daemon.start()
    assert.equal((await s.cri.podStatus(pod.id)).state, podState.SANDBOX_NOTREADY)
    await s.cri.removeContainer(running)
  }),
)

test(
  'a container that is removed while the daemon is down leaves no volume',
  story(async s => {
    const image = await pullData(s)
    const id = await s.run(await s.runPod(), { mounts: [imageMount(image)] })
    await s.daemon.kill()
    // As a power loss between two writes would: the record is gone, everything else is there.
    await mustRun(['rm', join(s.scratch.rootDir, 'containers', `${id}.json`)])
    await s.daemon.start()
  }),
)
