import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { sampleResources, specInputWith } from '../testing/samples.ts'
import { containerProcess } from './process.ts'
import type { ProcessSpec } from './types.ts'

const none = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] }

function processOf(change: Parameters<typeof specInputWith>[0]): ProcessSpec {
  return containerProcess(specInputWith(change), none)
}

describe('the command of a container', () => {
  const image = { entrypoint: ['/entry'], cmd: ['default'] }
  const cases = [
    { command: [], args: [], expected: ['/entry', 'default'] },
    { command: [], args: ['own'], expected: ['/entry', 'own'] },
    { command: ['/own'], args: [], expected: ['/own'] },
    { command: ['/own'], args: ['a', 'b'], expected: ['/own', 'a', 'b'] },
  ]
  for (const { expected, ...config } of cases) {
    it(`is ${expected.join(' ')} for ${JSON.stringify(config)}`, () => {
      assert.deepEqual(processOf({ config, image }).args, expected)
    })
  }

  it('is an error when neither the config nor the image has one', () => {
    assert.throws(
      () => processOf({ config: { command: [] } }),
      err => isKind(err, 'invalid-argument') && err.message.includes('no command specified'),
    )
  })

  it('has no NUL in it', () => {
    assert.throws(
      () => processOf({ config: { command: ['/bin/a\0b'] } }),
      err => isKind(err, 'invalid-argument'),
    )
  })
})

describe('the environment of a container', () => {
  it('has a search path and a host name of its own', () => {
    assert.deepEqual(processOf({}).env, [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=shop',
    ])
  })

  it('has a terminal type with a terminal', () => {
    assert.ok(processOf({ config: { hasTty: true } }).env.includes('TERM=xterm'))
    assert.equal(processOf({ config: { hasTty: true } }).terminal, true)
  })

  it('comes from the image, and after that from the config', () => {
    const { env } = processOf({
      image: { env: ['PATH=/image', 'A=image', 'B=image', 'no equals sign', '=x'] },
      config: {
        envs: [
          { key: 'B', value: 'config' },
          { key: 'C', value: 'x=y\nz' },
          { key: 'B', value: 'last' },
        ],
      },
    })
    assert.deepEqual(env, ['PATH=/image', 'HOSTNAME=shop', 'A=image', 'B=last', 'C=x=y\nz'])
  })

  for (const key of ['', 'A=B', 'A\0']) {
    it(`has no variable called ${JSON.stringify(key)}`, () => {
      assert.throws(
        () => processOf({ config: { envs: [{ key, value: '' }] } }),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }
})

describe('the working directory of a container', () => {
  const cases = [
    { own: '', image: '', expected: '/' },
    { own: '', image: '/srv', expected: '/srv' },
    { own: '/own', image: '/srv', expected: '/own' },
    { own: 'app/..', image: '', expected: '/' },
    { own: '', image: 'app', expected: '/app' },
    { own: '/../../etc', image: '', expected: '/etc' },
  ]
  for (const { own, image, expected } of cases) {
    it(`is ${expected} for "${own}" over "${image}" of the image`, () => {
      const found = processOf({ config: { workingDir: own }, image: { workingDir: image } })
      assert.equal(found.cwd, expected)
    })
  }
})

describe('the OOM score of a container', () => {
  const cases = [
    { wanted: 500, canLower: false, own: 0, expected: 500 },
    { wanted: -998, canLower: false, own: 0, expected: 0 },
    { wanted: -998, canLower: false, own: -500, expected: -500 },
    { wanted: -998, canLower: true, own: 0, expected: -998 },
  ]
  for (const { wanted, expected, ...oomScore } of cases) {
    it(`is ${expected} for ${wanted} with ${JSON.stringify(oomScore)}`, () => {
      const found = processOf({
        config: { resources: { ...sampleResources, oomScoreAdj: wanted } },
        facts: { oomScore },
      })
      assert.equal(found.oomScoreAdj, expected)
    })
  }

  it("is the daemon's own without resources", () => {
    assert.equal('oomScoreAdj' in processOf({}), false)
  })

  for (const oomScoreAdj of [-1001, 1001]) {
    it(`is not ${oomScoreAdj}`, () => {
      assert.throws(
        () => processOf({ config: { resources: { ...sampleResources, oomScoreAdj } } }),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }
})
