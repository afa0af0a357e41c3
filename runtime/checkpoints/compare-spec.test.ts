import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Spec } from '../oci/spec/types.ts'
import { compareSpec } from './compare-spec.ts'
import type { SpecDump } from './dumps.ts'

const process: Spec['process'] = {
  terminal: false,
  user: { uid: 1, gid: 2, additionalGids: [4, 3] },
  args: ['/bin/app', '-v'],
  env: ['PATH=/bin', 'HOSTNAME=new', 'A=b'],
  cwd: '/work',
  noNewPrivileges: true,
  capabilities: {
    bounding: [],
    effective: ['CAP_CHOWN', 'CAP_KILL'],
    permitted: [],
    inheritable: [],
    ambient: [],
  },
}

const made: Pick<Spec, 'process' | 'mounts' | 'linux'> = {
  process,
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: [] },
    { destination: '/etc/hosts', type: 'bind', source: '/x', options: ['rbind'] },
  ],
  linux: {
    namespaces: [{ type: 'pid' }, { type: 'network', path: '/new' }],
    cgroupsPath: '',
    resources: { devices: [] },
    devices: [],
    maskedPaths: [],
    readonlyPaths: [],
  },
}

const spec: Spec = { ociVersion: '1.0.2', root: { path: '/', readonly: false }, annotations: {}, ...made }

const was: SpecDump = {
  process: {
    ...process,
    args: [...process.args],
    env: ['A=b', 'HOSTNAME=old', 'PATH=/bin'],
    user: { uid: 1, gid: 2, additionalGids: [3, 4] },
    capabilities: { effective: ['CAP_KILL', 'CAP_CHOWN'] },
  },
  mounts: [
    { destination: '/etc/hosts', type: '', options: ['bind'] },
    { destination: '/dev', type: 'tmpfs', options: [] },
  ],
  linux: { namespaces: [{ type: 'network', path: '/old' }, { type: 'pid' }] },
}

test('the same container in another pod can go on', () => {
  compareSpec(was, spec, true)
})

const always: readonly [string, Partial<SpecDump>, RegExp][] = [
  ['a mount less', { mounts: [] }, /the config has a mount on \/etc\/hosts/],
  [
    'a mount more',
    { mounts: [...was.mounts, { destination: '/data', type: 'bind', options: [] }] },
    /something mounted on \/data/,
  ],
  ['a network of its own', { linux: { namespaces: [{ type: 'pid' }, { type: 'network' }] } }, /namespaces/],
  ['a terminal', { process: { ...was.process, terminal: true } }, /a terminal/],
]

for (const [what, change, message] of always) {
  test(`a captured container with ${what} is refused`, () => {
    for (const isStrict of [true, false]) {
      assert.throws(
        () => {
          compareSpec({ ...was, ...change }, spec, isStrict)
        },
        { kind: 'invalid-argument', message },
      )
    }
  })
}

const strict: readonly [string, Partial<SpecDump['process']>, RegExp][] = [
  ['args', { args: ['/bin/app'] }, /command and args/],
  ['environment', { env: ['A=c'] }, /environment/],
  ['directory', { cwd: '/' }, /working directory/],
  ['user', { user: { uid: 0, gid: 2, additionalGids: [] } }, /user/],
  ['capabilities', { capabilities: { effective: [] } }, /capabilities/],
  ['no_new_privs', { noNewPrivileges: false }, /no_new_privs/],
]

for (const [what, change, message] of strict) {
  test(`a captured process with another ${what} is refused where the config has to describe it`, () => {
    const other = { ...was, process: { ...was.process, ...change } }
    compareSpec(other, spec, false)
    assert.throws(
      () => {
        compareSpec(other, spec, true)
      },
      { kind: 'invalid-argument', message },
    )
  })
}
