import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { sampleSecurity } from '../testing/samples.ts'
import { containerCapabilities } from './capabilities.ts'

/** CHOWN, KILL and NET_RAW are in the default set, SYS_ADMIN and SYS_TIME are not. */
const own = new Set(['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW', 'CAP_SYS_ADMIN', 'CAP_SYS_TIME'])
const everything = [...own]
const usual = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW']

describe('capabilities of a container', () => {
  const cases = [
    { name: 'the default ones that the daemon has', expected: usual },
    { name: 'one more, with or without prefix', add: ['CAP_SYS_TIME', 'sys_admin'], expected: everything },
    { name: 'one less', drop: ['NET_RAW'], expected: ['CAP_CHOWN', 'CAP_KILL'] },
    { name: 'all of the daemon', add: ['ALL'], expected: everything },
    {
      name: 'all but one',
      add: ['ALL'],
      drop: ['SYS_ADMIN'],
      expected: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW', 'CAP_SYS_TIME'],
    },
    { name: 'none', drop: ['all'], expected: [] },
    { name: 'only one', add: ['KILL'], drop: ['ALL'], expected: ['CAP_KILL'] },
    {
      name: 'the one that is dropped by name, not',
      add: ['KILL'],
      drop: ['KILL'],
      expected: ['CAP_CHOWN', 'CAP_NET_RAW'],
    },
    {
      name: 'only those added when both lists have ALL',
      add: ['ALL', 'KILL'],
      drop: ['ALL'],
      expected: ['CAP_KILL'],
    },
    {
      name: 'all when privileged, whatever is dropped',
      isPrivileged: true,
      drop: ['ALL'],
      expected: everything,
    },
  ]
  for (const { name, expected, add = [], drop = [], isPrivileged = false } of cases) {
    it(`are ${name}`, () => {
      const capabilities = { add, drop, addAmbient: [] }
      const found = containerCapabilities({ ...sampleSecurity, capabilities, isPrivileged }, own)
      assert.deepEqual(found, {
        bounding: expected,
        effective: expected,
        permitted: expected,
        inheritable: [],
        ambient: [],
      })
    })
  }

  it('are inheritable only when they are ambient', () => {
    const capabilities = { add: [], drop: ['ALL'], addAmbient: ['SYS_TIME'] }
    const found = containerCapabilities({ ...sampleSecurity, capabilities }, own)
    for (const set of Object.values(found)) assert.deepEqual(set, ['CAP_SYS_TIME'])
  })

  const wrong = [
    { add: ['SYS_RESOURCE'], kind: 'failed-precondition' },
    { add: ['NO_SUCH_THING'], kind: 'invalid-argument' },
    { drop: ['NO_SUCH_THING'], kind: 'invalid-argument' },
    { addAmbient: ['BPF'], kind: 'failed-precondition' },
  ] as const
  for (const { kind, ...change } of wrong) {
    it(`are refused as ${kind}: ${JSON.stringify(change)}`, () => {
      const capabilities = { add: [], drop: [], addAmbient: [], ...change }
      assert.throws(
        () => containerCapabilities({ ...sampleSecurity, capabilities }, own),
        err => isKind(err, kind),
      )
    })
  }

  it('may lose one that the daemon does not have either', () => {
    const capabilities = { add: [], drop: ['SYS_RESOURCE'], addAmbient: [] }
    assert.deepEqual(containerCapabilities({ ...sampleSecurity, capabilities }, own).bounding, usual)
  })
})
