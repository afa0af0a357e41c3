import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { sampleFacts, sampleSecurity } from '../testing/samples.ts'
import { containerSeccomp, fitProfile } from './seccomp.ts'
import type { SeccompProfile } from './seccomp-profile.ts'
import type { SeccompSpec } from './types.ts'

const runtimeDefault = { type: 'runtime-default' } as const

function defaultFilter(capabilities: readonly string[], facts = sampleFacts): SeccompSpec {
  const filter = containerSeccomp({
    security: { ...sampleSecurity, seccomp: runtimeDefault },
    localhost: undefined,
    capabilities: new Set(capabilities),
    facts,
  })
  assert.ok(filter)
  return filter
}

/** Whether a system call is allowed whatever its arguments are. */
function isAllowed(filter: SeccompSpec, name: string): boolean {
  return filter.syscalls.some(
    rule => rule.action === 'SCMP_ACT_ALLOW' && !rule.args && rule.names.includes(name),
  )
}

describe('the default seccomp filter', () => {
  it('denies with EPERM what it does not list, in every ABI of the processor', () => {
    const filter = defaultFilter([])
    assert.equal(filter.defaultAction, 'SCMP_ACT_ERRNO')
    assert.equal(filter.defaultErrnoRet, 1)
    assert.deepEqual(filter.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'])
    assert.equal(isAllowed(filter, 'openat2'), true)
    assert.equal(isAllowed(filter, 'kexec_load'), false)
  })

  const gated = [
    { capability: 'CAP_SYS_ADMIN', names: ['mount', 'setns', 'unshare', 'bpf', 'clone', 'clone3'] },
    { capability: 'CAP_SYS_CHROOT', names: ['chroot'] },
    { capability: 'CAP_SYS_MODULE', names: ['init_module'] },
    { capability: 'CAP_BPF', names: ['bpf'] },
    { capability: 'CAP_DAC_READ_SEARCH', names: ['open_by_handle_at'] },
  ]
  for (const { capability, names } of gated) {
    it(`allows ${names.join(', ')} only with ${capability}`, () => {
      for (const name of names) {
        assert.equal(isAllowed(defaultFilter([]), name), false, name)
        assert.equal(isAllowed(defaultFilter([capability]), name), true, name)
      }
    })
  }

  it('lets clone make no namespace, and clone3 look absent, without CAP_SYS_ADMIN', () => {
    const named = (filter: SeccompSpec, name: string): SeccompSpec['syscalls'] =>
      filter.syscalls.filter(rule => rule.names.includes(name))
    const [clone] = named(defaultFilter([]), 'clone')
    assert.deepEqual(clone?.args, [{ index: 0, value: 0x7e020000, op: 'SCMP_CMP_MASKED_EQ' }])
    assert.deepEqual(named(defaultFilter([]), 'clone3'), [
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    ])
  })

  it('allows ptrace from Linux 4.8 on', () => {
    assert.equal(isAllowed(defaultFilter([]), 'ptrace'), true)
    assert.equal(
      isAllowed(defaultFilter([], { ...sampleFacts, kernel: { major: 4, minor: 7 } }), 'ptrace'),
      false,
    )
  })

  it('allows what only the own architecture has', () => {
    const arm = { ...sampleFacts, architecture: 'arm64' }
    assert.equal(isAllowed(defaultFilter([]), 'arch_prctl'), true)
    assert.equal(isAllowed(defaultFilter([], arm), 'arch_prctl'), false)
    assert.equal(isAllowed(defaultFilter([], arm), 'arm_sync_file_range'), true)
    assert.deepEqual(defaultFilter([], arm).architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'])
  })

  it('allows no socket of the families ALG and VSOCK', () => {
    const rules = defaultFilter([]).syscalls.filter(rule => rule.names.includes('socket'))
    const permits = (family: number): boolean =>
      rules.some(({ args }) => {
        const [argument] = args ?? []
        if (argument?.op === 'SCMP_CMP_LT') return family < argument.value
        if (argument?.op === 'SCMP_CMP_GT') return family > argument.value
        return family === argument?.value
      })
    assert.deepEqual([1, 2, 38, 39, 40, 41].filter(permits), [1, 2, 39, 41])
  })
})

describe('the seccomp filter of a container', () => {
  const profile: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64'],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    rules: [{ names: ['chmod'], action: 'SCMP_ACT_ERRNO' }],
  }
  const localhost = { type: 'localhost', ref: '/p.json' } as const

  const cases = [
    { name: 'absent without a profile', seccomp: undefined, isPrivileged: false },
    { name: 'absent when unconfined', seccomp: { type: 'unconfined' } as const, isPrivileged: false },
    { name: 'absent when privileged', seccomp: localhost, isPrivileged: true },
  ]
  for (const { name, seccomp, isPrivileged } of cases) {
    it(`is ${name}`, () => {
      const security = { ...sampleSecurity, seccomp, isPrivileged }
      const found = containerSeccomp({
        security,
        localhost: profile,
        capabilities: new Set(),
        facts: sampleFacts,
      })
      assert.equal(found, undefined)
    })
  }

  it('is the given profile as it stands', () => {
    const found = fitProfile(profile, { capabilities: new Set(), facts: sampleFacts })
    assert.deepEqual(found, {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: [{ names: ['chmod'], action: 'SCMP_ACT_ERRNO' }],
    })
  })

  it('is never silently none when the profile is missing', () => {
    const security = { ...sampleSecurity, seccomp: localhost }
    assert.throws(
      () => containerSeccomp({ security, localhost: undefined, capabilities: new Set(), facts: sampleFacts }),
      err => isKind(err, 'failed-precondition'),
    )
  })
})
