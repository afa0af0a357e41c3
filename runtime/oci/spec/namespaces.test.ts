import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import type { NamespaceOptions } from '../../model/linux.ts'
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

  it('cannot be those of a target that does not run', () => {
    assert.throws(
      () => namespacesOf({ container: { pid: 'target', targetId: 'gone' } }),
      err => isKind(err, 'failed-precondition') && err.message.includes('gone'),
    )
  })
})
