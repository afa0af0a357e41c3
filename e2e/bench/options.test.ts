import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseOptions } from './options.ts'

const known = ['pods', 'rpcs']

describe('parseOptions', () => {
  it('without options runs everything against whatever peer is there', () => {
    const options = parseOptions([], known)
    assert.equal(options.cases, undefined)
    assert.equal(options.peers, undefined)
    assert.equal(options.hasLighter, true)
    assert.deepEqual(options.containers, [40, 200, 1000])
  })

  it('takes peers by socket, also with a scheme, and those that it starts', () => {
    const argv = ['--peer', 'a=/run/a.sock', '--peer', 'b=unix:///run/b.sock', '--peer', 'containerd']
    assert.deepEqual(parseOptions(argv, known).peers, [
      { name: 'a', socketPath: '/run/a.sock' },
      { name: 'b', socketPath: '/run/b.sock' },
      { name: 'containerd' },
    ])
    assert.deepEqual(parseOptions(['--alone'], known).peers, [])
  })

  it('sorts lists of numbers and drops what is twice in them', () => {
    assert.deepEqual(parseOptions(['--pods', '100,40,40'], known).pods, [40, 100])
  })

  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['--case', 'pods,nothing'], /no case "nothing"/],
    [['--peer', 'a=run/a.sock'], /--peer: "a=run\/a.sock"/],
    [['--peer', 'a'], /--peer: "a"/],
    [['--rounds', '0'], /--rounds: "0"/],
    [['--rounds', ''], /--rounds: ""/],
    [['--rounds', '1.5'], /--rounds/],
    [['--containers', '40,x'], /--containers: "x"/],
    [['--files', '1000000000'], /--files/],
    [['--unheard-of'], /--unheard-of/],
  ]
  for (const [argv, message] of refused) {
    it(`refuses ${argv.join(' ')}`, () => {
      assert.throws(() => parseOptions(argv, known), message)
    })
  }
})
