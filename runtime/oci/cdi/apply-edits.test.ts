import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { buildSpec } from '../spec/build-spec.ts'
import { specInputWith } from '../testing/samples.ts'
import { applyEdits } from './apply-edits.ts'
import type { ContainerEdits } from './cdi-spec.ts'
import { parseCdiSpec } from './parse-cdi-spec.ts'

function edits(containerEdits: object): ContainerEdits {
  return parseCdiSpec('/etc/cdi/x.json', {
    cdiVersion: '1.0.0',
    kind: 'vendor.com/gpu',
    containerEdits,
    devices: [],
  }).edits
}

const input = specInputWith({ config: { envs: [{ key: 'A', value: 'client' }] } })
const spec = buildSpec({ ...input, user: { uid: 1000, gid: 1000, supplementalGroups: [1000] } })

describe('the edits of a CDI device', () => {
  it('set variables, a later one wins', async () => {
    const { env } = (await applyEdits(spec, [edits({ env: ['A=1', 'B=1'] }), edits({ env: ['B=2'] })]))
      .process
    assert.deepEqual(
      env.filter(entry => /^[AB]=/.test(entry)),
      ['A=1', 'B=2'],
    )
  })

  it('make nodes with what they say and what the host has, and let the container use them', async () => {
    const deviceNodes = [
      { path: '/dev/mine', hostPath: '/dev/null', permissions: 'rw' },
      { path: '/dev/full' },
      { path: '/dev/given', type: 'b', major: 300, minor: 7, fileMode: 0o640, uid: 5, gid: 6 },
    ]
    const { devices, resources } = (await applyEdits(spec, [edits({ deviceNodes })])).linux
    const plain = { fileMode: 0o666, uid: 1000, gid: 0 }
    assert.deepEqual(devices, [
      { path: '/dev/mine', type: 'c', major: 1, minor: 3, ...plain },
      { path: '/dev/full', type: 'c', major: 1, minor: 7, ...plain },
      { path: '/dev/given', type: 'b', major: 300, minor: 7, fileMode: 0o640, uid: 5, gid: 6 },
    ])
    assert.deepEqual(resources.devices.slice(1), [
      { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
      { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' },
      { allow: true, type: 'b', major: 300, minor: 7, access: 'rwm' },
    ])
  })

  it('replace mounts of the same place, parents stay before children', async () => {
    const mounts = [
      { hostPath: '/opt/driver/lib', containerPath: '/usr/lib/driver/', options: ['ro', 'nosuid'] },
      { hostPath: '/opt/hosts', containerPath: '/etc/hosts', options: ['bind'] },
      { hostPath: 'tmpfs', containerPath: '/run/x', type: 'tmpfs' },
    ]
    const mounted = (await applyEdits(spec, [edits({ mounts })])).mounts
    const at = (path: string) => mounted.filter(({ destination }) => destination === path)
    assert.deepEqual(at('/usr/lib/driver'), [
      {
        destination: '/usr/lib/driver',
        type: 'bind',
        source: '/opt/driver/lib',
        options: ['rbind', 'ro', 'nosuid'],
      },
    ])
    assert.deepEqual(
      at('/etc/hosts').map(({ source, options }) => [source, options]),
      [['/opt/hosts', ['bind']]],
    )
    assert.equal(at('/run/x')[0]?.type, 'tmpfs')
    const depths = mounted.map(({ destination }) => destination.split('/').length)
    assert.deepEqual(depths, depths.toSorted())
  })

  it('add hooks and groups', async () => {
    const edited = await applyEdits(spec, [
      edits({
        hooks: [{ hookName: 'createContainer', path: '/bin/hook', args: ['hook', 'x'], timeout: 3 }],
        additionalGids: [44, 0, 1000],
      }),
    ])
    assert.deepEqual(edited.hooks, {
      createContainer: [{ path: '/bin/hook', args: ['hook', 'x'], env: [], timeout: 3 }],
    })
    assert.deepEqual(edited.process.user.additionalGids, [1000, 44])
  })

  for (const node of [
    { path: '/dev/no-such-node' },
    { path: '/etc/passwd' },
    { path: '/dev/null', type: 'b' },
  ]) {
    it(`are refused for a node that is not there: ${JSON.stringify(node)}`, async () => {
      await assert.rejects(
        applyEdits(spec, [edits({ deviceNodes: [node] })]),
        err =>
          (isKind(err, 'failed-precondition') ||
            isKind(err, 'not-found') ||
            isKind(err, 'invalid-argument')) &&
          err.message.includes(node.path),
      )
    })
  }
})
