import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import { silentLog } from '#base/log'
import type { BindMount } from '#shim/host'
import { prepareVolumes } from './prepare-volumes.ts'
import { sampleMount, samplePod } from './testing/samples.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }
const mapping = { hostId: 70_000, containerId: 0, length: 65_536 }
const mapped = { uidMappings: [mapping], gidMappings: [mapping] }
const idMappings = { uids: [mapping], gids: [mapping] }
const none = { uids: [], gids: [] }
const inUser = samplePod({
  namespaces: {
    ...samplePod().config.namespaces,
    user: { mode: 'pod', uids: [mapping], gids: [mapping] },
  },
})

test('volumes are mounted where the runtime gets them, each as it was asked for', async () => {
  const binds: BindMount[] = []
  const host = { bind: (_ctx: unknown, bind: BindMount) => Promise.resolve(void binds.push(bind)) }
  const mounts = [
    { ...sampleMount, hostPath: '/plain' },
    { ...sampleMount, hostPath: '/link', ...mapped, propagation: 'host-to-container' as const },
    { ...sampleMount, hostPath: '', image: 'an image', isReadOnly: true },
    { ...sampleMount, hostPath: '/ro', isReadOnly: true, options: ['noexec'] },
    { ...sampleMount, hostPath: '/rro', isReadOnly: true, isRecursiveReadOnly: true, ...mapped },
  ]
  await prepareVolumes(ctx, host, {
    mounts,
    pod: inUser,
    volumesPath: '/volumes',
    sources: new Map([['/link', '/real']]),
  })
  const plain = { isRecursive: true, hasAttributesBelow: false, isSlave: false }
  assert.deepEqual(binds, [
    { ...plain, source: '/real', target: '/volumes/1', attributes: [], isSlave: true, idMappings },
    { ...plain, source: '/ro', target: '/volumes/3', attributes: ['ro', 'noexec'], idMappings: none },
    {
      ...plain,
      source: '/rro',
      target: '/volumes/4',
      attributes: ['ro'],
      hasAttributesBelow: true,
      idMappings,
    },
  ])
})

test('a volume that cannot be mounted is named, and all others have settled', async () => {
  let settled = 0
  const host = {
    bind: async (_ctx: unknown, { source }: BindMount) => {
      await new Promise(resolve => setImmediate(resolve))
      settled++
      if (source === '/bad') throw new RuntimeError('failed-precondition', 'no ids')
    },
  }
  const mounts = ['/bad', '/good', '/better'].map(hostPath => ({ ...sampleMount, hostPath, ...mapped }))
  await assert.rejects(
    prepareVolumes(ctx, host, { mounts, pod: inUser, volumesPath: '/volumes', sources: new Map() }),
    err => isKind(err, 'failed-precondition') && /"\/bad" on "\/data": no ids/.test(err.message),
  )
  assert.equal(settled, 3)
})
