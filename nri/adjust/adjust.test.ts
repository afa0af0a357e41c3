import assert from 'node:assert/strict'
import test from 'node:test'
import Long from 'long'
import { type ErrorKind, isKind } from '#base/errors'
import type { Spec } from '#engine/oci/spec/types'
import { api } from '#nri-proto'
import { sampleSpec } from '../testing/fake-plugin-host.ts'
import { type Adjustments, mergeAdjustment, noAdjustments, toMessage } from './adjustments.ts'
import { applyAdjustments } from './apply-adjustments.ts'
import { createOwners } from './owners.ts'

type Wanted = api.ContainerAdjustment.$Properties

/** What plugins named a, b, … want, as it arrives over the wire. */
function merged(...wanted: readonly Wanted[]): Adjustments {
  const owners = createOwners('c')
  return wanted.reduce<Adjustments>((current, one, index) => {
    const received = api.ContainerAdjustment.decode(api.ContainerAdjustment.encode(one).finish())
    return mergeAdjustment(current, received, { plugin: String.fromCharCode(97 + index), owners })
  }, noAdjustments)
}

const adjusted = (...wanted: readonly Wanted[]): Spec => applyAdjustments(sampleSpec, merged(...wanted))
const number = (value: number): { readonly value: Long } => ({ value: Long.fromNumber(value) })
const resources = (wanted: api.LinuxResources.$Properties): Wanted => ({ linux: { resources: wanted } })

test('each thing that a plugin can want changes the spec', async t => {
  const device = { path: '/dev/x', type: 'c', major: Long.fromNumber(1), minor: Long.fromNumber(3) }
  const hook = { path: '/bin/hook', args: ['hook', '1'], env: ['A=1'], timeout: number(5) }
  const cases: readonly (readonly [string, Wanted, (spec: Spec) => unknown, unknown])[] = [
    ['nothing', {}, spec => spec, sampleSpec],
    ['annotations', { annotations: { more: '1', '-kept': '' } }, spec => spec.annotations, { more: '1' }],
    [
      'environment',
      { env: [{ key: 'A', value: '1' }, { key: 'LANG', value: 'de' }, { key: '-PATH' }] },
      spec => spec.process.env,
      ['A=1', 'LANG=de'],
    ],
    ['arguments', { args: ['true'] }, spec => spec.process.args, ['true']],
    [
      'mounts: one more, deeper ones last; one less',
      { mounts: [{ destination: '/a', source: '/b', options: ['ro'] }, { destination: '-/proc' }] },
      spec => spec.mounts.map(({ destination, type }) => `${type} ${destination}`),
      ['bind /a', 'bind /etc/hosts'],
    ],
    [
      'hooks',
      { hooks: { createRuntime: [hook] } },
      spec => spec.hooks,
      { createRuntime: [{ path: '/bin/hook', args: ['hook', '1'], env: ['A=1'], timeout: 5 }] },
    ],
    [
      'devices, which the container may use then',
      { linux: { devices: [device] } },
      spec => [spec.linux.devices, spec.linux.resources.devices.at(-1)],
      [
        [{ path: '/dev/x', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }],
        { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
      ],
    ],
    [
      'device rules',
      resources({ devices: [{ allow: true, type: 'b', major: number(8), access: 'r' }] }),
      spec => spec.linux.resources.devices.at(-1),
      { allow: true, type: 'b', major: 8, access: 'r' },
    ],
    [
      'memory',
      resources({ memory: { limit: number(5), reservation: number(4), swappiness: { value: Long.UZERO } } }),
      spec => spec.linux.resources.memory,
      { limit: 5, reservation: 4, swappiness: 0 },
    ],
    [
      'cpu',
      resources({ cpu: { shares: number(2), quota: number(-1), cpus: '0-1' } }),
      spec => spec.linux.resources.cpu,
      { shares: 2, quota: -1, cpus: '0-1' },
    ],
    [
      'huge pages, unified, pids',
      resources({
        hugepageLimits: [{ pageSize: '2MB', limit: Long.fromNumber(4) }],
        unified: { 'memory.high': '5' },
        pids: { limit: Long.fromNumber(9) },
      }),
      ({ linux: { resources: r } }) => [r.hugepageLimits, r.unified, r.pids],
      [[{ pageSize: '2MB', limit: 4 }], { 'memory.high': '5' }, { limit: 9 }],
    ],
    ['cgroup', { linux: { cgroupsPath: '/else' } }, spec => spec.linux.cgroupsPath, '/else'],
    ['OOM score', { linux: { oomScoreAdj: number(7) } }, spec => spec.process.oomScoreAdj, 7],
    [
      'rlimits; the largest number is no limit',
      { rlimits: [{ type: 'RLIMIT_NOFILE', hard: Long.MAX_UNSIGNED_VALUE, soft: Long.fromNumber(5) }] },
      spec => spec.process.rlimits,
      [{ type: 'RLIMIT_NOFILE', hard: Number.MAX_SAFE_INTEGER, soft: 5 }],
    ],
    [
      'namespaces',
      { linux: { namespaces: [{ type: 'ipc', path: '/pins/ipc' }, { type: '-network' }] } },
      spec => spec.linux.namespaces,
      [{ type: 'mount' }, { type: 'ipc', path: '/pins/ipc' }],
    ],
    ['sysctls', { linux: { sysctl: { 'net.x': '1' } } }, spec => spec.linux.sysctl, { 'net.x': '1' }],
    [
      'seccomp',
      {
        linux: {
          seccompPolicy: {
            defaultAction: 'SCMP_ACT_ALLOW',
            syscalls: [{ names: ['reboot'], action: 'SCMP_ACT_ERRNO', errnoRet: { value: 1 } }],
          },
        },
      },
      spec => spec.linux.seccomp,
      {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['reboot'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
      },
    ],
  ]
  for (const [name, wanted, part, expected] of cases) {
    await t.test(name, () => {
      assert.deepEqual(part(adjusted(wanted)), expected)
    })
  }
})

test('what the OCI runtime would ignore, and what makes no sense, is refused by name', async t => {
  const cases: readonly (readonly [Wanted, ErrorKind, RegExp])[] = [
    [{ linux: { ioPriority: { priority: 1 } } }, 'unimplemented', /linux\.io_priority/],
    [{ linux: { scheduler: { nice: 1 } } }, 'unimplemented', /linux\.scheduler/],
    [{ linux: { rdt: { closId: { value: 'x' } } } }, 'unimplemented', /linux\.rdt/],
    [{ linux: { memoryPolicy: { nodes: '0' } } }, 'unimplemented', /linux\.memory_policy/],
    [{ linux: { netDevices: { eth0: { name: 'a' } } } }, 'unimplemented', /linux\.net_devices/],
    [resources({ blockioClass: { value: 'gold' } }), 'unimplemented', /resources\.blockio_class/],
    [resources({ rdtClass: { value: 'gold' } }), 'unimplemented', /resources\.rdt_class/],
    [resources({ memory: { kernel: number(1) } }), 'unimplemented', /resources\.memory\.kernel/],
    [resources({ memory: { limit: { value: Long.MAX_VALUE } } }), 'invalid-argument', /memory\.limit/],
    [{ mounts: [{ destination: 'etc' }] }, 'invalid-argument', /"etc" is not an absolute path/],
    [{ hooks: { prestart: [{ path: 'x' }] } }, 'invalid-argument', /hooks: "x"/],
    [{ linux: { devices: [{ path: '/dev/x', type: 'u' }] } }, 'invalid-argument', /"\/dev\/x"/],
    [{ linux: { namespaces: [{ type: 'time' }] } }, 'invalid-argument', /"time"/],
    [{ linux: { seccompPolicy: { listenerPath: '/x' } } }, 'unimplemented', /seccomp_policy/],
  ]
  for (const [wanted, kind, message] of cases) {
    await t.test(String(message), () => {
      assert.throws(
        () => adjusted(wanted),
        err => isKind(err, kind) && message.test(err.message),
      )
    })
  }
})

test('two plugins may not set the same, unless the second removes what the first has set', async t => {
  const cases: readonly (readonly [string, Wanted, Wanted])[] = [
    ['Annotations', { annotations: { a: '1' } }, { annotations: { '-a': '', a: '2' } }],
    ['Env', { env: [{ key: 'a', value: '1' }] }, { env: [{ key: 'a', value: '2' }, { key: '-a' }] }],
    [
      'Mounts',
      { mounts: [{ destination: '/a' }] },
      { mounts: [{ destination: '-/a' }, { destination: '/a' }] },
    ],
    ['Args', { args: ['a'] }, { args: ['', 'b'] }],
    ['Sysctl', { linux: { sysctl: { a: '1' } } }, { linux: { sysctl: { '-a': '', a: '2' } } }],
  ]
  for (const [field, first, second] of cases) {
    await t.test(field, () => {
      assert.throws(
        () => merged(first, first),
        err => isKind(err, 'failed-precondition') && err.message.includes(`"a" and "b" both set ${field}`),
      )
      merged(first, second)
    })
  }
  assert.throws(() => merged(resources({ cpu: { cpus: '0' } }), resources({ cpu: { cpus: '1' } })))
  assert.throws(() => merged({ CDIDevices: [{ name: 'v/c=d' }] }, { CDIDevices: [{ name: 'v/c=d' }] }))
  const both = adjusted(resources({ cpu: { cpus: '0' } }), resources({ cpu: { mems: '1' } }))
  assert.deepEqual(both.linux.resources.cpu, { cpus: '0', mems: '1' })
})

test('all wishes together make the message that a single plugin would have sent', () => {
  const one: Wanted = {
    annotations: { '-kept': '', more: '1' },
    mounts: [{ destination: '-/proc' }],
    env: [{ key: 'A', value: '1' }],
    args: ['true'],
    hooks: { poststop: [{ path: '/bin/true' }] },
    CDIDevices: [{ name: 'v/c=d' }],
  }
  const all = toMessage(merged(one, { env: [{ key: 'B', value: '2' }], linux: { cgroupsPath: '/x' } }))
  assert.deepEqual(all.annotations, { '-kept': '', more: '1' })
  assert.deepEqual(all.mounts, [{ destination: '-/proc' }])
  assert.deepEqual(
    all.env?.map(({ key }) => key),
    ['A', 'B'],
  )
  assert.deepEqual(all.args, ['true'])
  assert.equal(all.hooks?.poststop?.length, 1)
  assert.deepEqual(all.CDIDevices, [{ name: 'v/c=d' }])
  assert.equal(all.linux?.cgroupsPath, '/x')
})
