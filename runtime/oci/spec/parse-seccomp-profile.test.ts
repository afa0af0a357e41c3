import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { parseSeccompProfile } from './parse-seccomp-profile.ts'

const allow = 'SCMP_ACT_ALLOW'

describe('a seccomp profile file', () => {
  it('may be in the OCI form', () => {
    const args = [{ index: 1, value: 5, valueTwo: 7, op: 'SCMP_CMP_MASKED_EQ' }]
    const syscalls = [{ names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, args }]
    const text = JSON.stringify({
      defaultAction: allow,
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls,
    })
    assert.deepEqual(parseSeccompProfile('/p', text), {
      defaultAction: allow,
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      rules: syscalls,
    })
  })

  it("may be in Docker's form", () => {
    const includes = { caps: ['CAP_BPF'], arches: ['amd64'], minKernel: '5.10' }
    const syscalls = [
      { names: ['bpf'], action: allow, args: [], includes, excludes: {} },
      { name: 'read', action: allow, args: null },
    ]
    const { architectures, rules } = parseSeccompProfile(
      '/p',
      JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', archMap: [], syscalls }),
    )
    assert.equal(architectures, undefined)
    assert.deepEqual(rules, [
      {
        names: ['bpf'],
        action: allow,
        includes: {
          capabilities: ['CAP_BPF'],
          architectures: ['amd64'],
          minKernel: { major: 5, minor: 10 },
        },
        excludes: {},
      },
      { names: ['read'], action: allow },
    ])
  })

  const rule = { names: ['read'], action: allow }
  const wrong: readonly [string, unknown][] = [
    ['is not an object', []],
    ['is null', null],
    ['has no default action', { syscalls: [] }],
    ['has an unknown default action', { defaultAction: 'allow' }],
    ['has rules that are no list', { defaultAction: allow, syscalls: {} }],
    ['has a rule without names', { defaultAction: allow, syscalls: [{ action: allow }] }],
    ['has a rule with an empty list of names', { defaultAction: allow, syscalls: [{ ...rule, names: [] }] }],
    ['has a name that is no text', { defaultAction: allow, syscalls: [{ ...rule, names: [1] }] }],
    ['has a rule without action', { defaultAction: allow, syscalls: [{ names: ['read'] }] }],
    [
      'has an argument with an unknown operator',
      { defaultAction: allow, syscalls: [{ ...rule, args: [{ index: 0, value: 1, op: '==' }] }] },
    ],
    [
      'has a value that JSON would round',
      {
        defaultAction: allow,
        syscalls: [{ ...rule, args: [{ index: 0, value: 2 ** 63, op: 'SCMP_CMP_EQ' }] }],
      },
    ],
    [
      'has more arguments than a system call',
      {
        defaultAction: allow,
        syscalls: [{ ...rule, args: Array(7).fill({ index: 0, value: 1, op: 'SCMP_CMP_EQ' }) }],
      },
    ],
    [
      'has a kernel version of another form',
      { defaultAction: allow, syscalls: [{ ...rule, includes: { minKernel: 'new' } }] },
    ],
    ['has too many rules', { defaultAction: allow, syscalls: Array(5000).fill(rule) }],
  ]
  for (const [name, value] of wrong) {
    it(`is refused when it ${name}`, () => {
      assert.throws(
        () => parseSeccompProfile('/etc/p.json', JSON.stringify(value)),
        err => isKind(err, 'invalid-argument') && err.message.includes('/etc/p.json'),
      )
    })
  }

  it('is refused when it is not JSON', () => {
    assert.throws(
      () => parseSeccompProfile('/etc/p.json', '{'),
      err => isKind(err, 'invalid-argument'),
    )
  })

  it('is refused when it wants a listener', () => {
    const text = JSON.stringify({ defaultAction: allow, listenerPath: '/run/x' })
    assert.throws(
      () => parseSeccompProfile('/p', text),
      err => isKind(err, 'unimplemented') && err.message.includes('listenerPath'),
    )
  })
})
