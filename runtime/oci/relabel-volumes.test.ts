import assert from 'node:assert/strict'
import test from 'node:test'
import type { Ctx } from '#base/context'
import { isKind, RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import type { ContainerMount } from '../model/container.ts'
import { createFakeHost } from '../testing/fake-host.ts'
import { relabelVolumes } from './relabel-volumes.ts'
import { sampleMount, sampleSpecInput } from './testing/samples.ts'

const ctx: Ctx = { signal: new AbortController().signal, log: silentLog }
const label = 'system_u:object_r:container_file_t:s0:c1,c2'

function input(mount: Partial<ContainerMount>, source = '/srv/data') {
  const mounts = [{ ...sampleMount, isSelinuxRelabeled: true, ...mount }]
  const sources = new Map([[sampleMount.hostPath, source]])
  const { podPaths } = sampleSpecInput
  return { mounts, sources, podPaths, hasPodShm: true, own: ['/volumes/0'], label }
}

test('volumes that ask for it get the label where they really are, and so does what the pod shares', async () => {
  const host = createFakeHost()
  await relabelVolumes(ctx, host, input({}, '/mnt/disk/data'))
  assert.deepEqual(host.calls, [
    `relabel /pod/hosts /pod/hostname /pod/resolv.conf /pod/shm /volumes/0 ${label}`,
    `relabel /mnt/disk/data ${label}`,
  ])
})

test('other volumes, images and the memory of the host keep theirs', async () => {
  const host = createFakeHost()
  await relabelVolumes(ctx, host, { ...input({ isSelinuxRelabeled: false }), hasPodShm: false, own: [] })
  await relabelVolumes(ctx, host, { ...input({ image: 'x', hostPath: '' }), hasPodShm: false, own: [] })
  const shared = `relabel /pod/hosts /pod/hostname /pod/resolv.conf ${label}`
  assert.deepEqual(host.calls, [shared, shared])
})

for (const source of ['/', '/etc', '/usr/', '/var/lib', '/home']) {
  test(`${source} is refused, as the node would not work any more`, async () => {
    const host = createFakeHost()
    await assert.rejects(relabelVolumes(ctx, host, input({}, source)), err => isKind(err, 'invalid-argument'))
    assert.equal(host.calls.length, 1)
  })
}

test('a failure names the mount', async () => {
  const host = createFakeHost()
  await assert.rejects(
    relabelVolumes(
      ctx,
      {
        relabel: (_ctx, paths) =>
          paths.includes('/srv/data')
            ? Promise.reject(new RuntimeError('internal', 'cannot label'))
            : host.relabel(ctx, paths, label),
      },
      input({}),
    ),
    /mount of "\/srv\/data" on "\/data": cannot label/,
  )
})
