import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import type { NamespaceOptions, UserNamespace } from '../../model/linux.ts'
import { sampleFacts, sampleNamespaces, specInputWith } from '../testing/samples.ts'
import { containerNamespaces } from './namespaces.ts'
import type { NamespaceSpec } from './types.ts'

interface Case {
  readonly pod?: Partial<NamespaceOptions>
  readonly container?: Partial<NamespaceOptions>
  readonly targetPid?: number
  readonly isPrivileged?: boolean
  readonly cgroupVersion?: 1 | 2
}

function namespacesOf(test: Case): readonly NamespaceSpec[] {
  const input = specInputWith({
    pod: { namespaces: { ...sampleNamespaces, ...test.pod } },
    security: {
      namespaces: { ...sampleNamespaces, ...test.container },
      isPrivileged: test.isPrivileged ?? false,
    },
  })
  const cgroups = { ...sampleFacts.cgroups, version: test.cgroupVersion ?? 1 }
  return containerNamespaces({ ...input, targetPid: test.targetPid, cgroups })
}

const mount = { type: 'mount' }
const network = { type: 'network', path: '/pod/net' }
const uts = { type: 'uts', path: '/pod/uts' }
const ipc = { type: 'ipc', path: '/pod/ipc' }
const ownPid = { type: 'pid' }
const mapping = { hostId: 70_000, containerId: 0, length: 65_536 }
const user: UserNamespace = { mode: 'pod', uids: [mapping], gids: [mapping] }

describe('namespaces of a container', () => {
  const cases: readonly { readonly name: string; readonly test: Case; readonly expected: unknown }[] = [
    { name: 'the pod, with an own PID namespace', test: {}, expected: [mount, network, uts, ipc, ownPid] },
    {
      name: "the pod, with the pod's PID namespace",
      test: { pod: { pid: 'pod' }, container: { pid: 'pod' } },
      expected: [mount, network, uts, ipc, { type: 'pid', path: '/pod/pid' }],
    },
    {
      name: 'an own PID namespace when the pod shares none',
      test: { container: { pid: 'pod' } },
      expected: [mount, network, uts, ipc, ownPid],
    },
    {
      name: 'an own PID namespace although the pod shares one',
      test: { pod: { pid: 'pod' } },
      expected: [mount, network, uts, ipc, ownPid],
    },
    {
      name: "the host's where the pod has them, also when the container does not say so",
      test: { pod: { network: 'node', ipc: 'node', pid: 'node' }, container: { pid: 'pod' } },
      expected: [mount],
    },
    {
      name: "the target's PID namespace",
      test: { container: { pid: 'target', targetId: 'x' }, targetPid: 42 },
      expected: [mount, network, uts, ipc, { type: 'pid', path: '/proc/42/ns/pid' }],
    },
    {
      name: "the pod's user namespace",
      test: { pod: { user }, container: { user } },
      expected: [mount, { type: 'user', path: '/pod/user' }, network, uts, ipc, ownPid],
    },
    {
      name: "the pod's user namespace when the container does not say",
      test: { pod: { user } },
      expected: [mount, { type: 'user', path: '/pod/user' }, network, uts, ipc, ownPid],
    },
    {
      name: 'no user namespace where neither asks for one',
      test: { pod: { user: { ...user, mode: 'node' } }, container: { user: { ...user, mode: 'node' } } },
      expected: [mount, network, uts, ipc, ownPid],
    },
    {
      name: 'an own cgroup namespace on cgroup v2',
      test: { cgroupVersion: 2 },
      expected: [mount, network, uts, ipc, ownPid, { type: 'cgroup' }],
    },
    {
      name: "the host's cgroup namespace when privileged",
      test: { cgroupVersion: 2, isPrivileged: true },
      expected: [mount, network, uts, ipc, ownPid],
    },
  ]
  for (const { name, test, expected } of cases) {
    it(`are ${name}`, () => {
      assert.deepEqual(namespacesOf(test), expected)
    })
  }

  for (const kind of ['network', 'ipc', 'pid'] as const) {
    it(`do not reach out to the host's ${kind} namespace from a pod with its own`, () => {
      assert.throws(
        () => namespacesOf({ container: { [kind]: 'node' } }),
        err => isKind(err, 'invalid-argument') && err.message.includes(kind),
      )
    })
  }

  const others: readonly [string, UserNamespace | undefined, UserNamespace][] = [
    ['other host ids', user, { ...user, uids: [{ ...mapping, hostId: 1 }] }],
    ['other lengths', user, { ...user, gids: [{ ...mapping, length: 1 }] }],
    ['more mappings', user, { ...user, uids: [mapping, mapping] }],
    ["the host's", user, { ...user, mode: 'node' }],
    ['one where the pod has none', undefined, user],
    ['one of its own', user, { ...user, mode: 'container' }],
    ["a target's", user, { ...user, mode: 'target' }],
  ]
  for (const [name, ofPod, wanted] of others) {
    it(`cannot have another user namespace than the pod: ${name}`, () => {
      assert.throws(
        () => namespacesOf({ pod: { user: ofPod }, container: { user: wanted } }),
        err => isKind(err, 'invalid-argument') && err.message.includes('userns_options'),
      )
    })
  }

  it('cannot be those of a target that does not run', () => {
    assert.throws(
      () => namespacesOf({ container: { pid: 'target', targetId: 'gone' } }),
      err => isKind(err, 'failed-precondition') && err.message.includes('gone'),
    )
  })
})
