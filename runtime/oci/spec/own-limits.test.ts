import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sampleFacts, sampleSpecInput } from '../testing/samples.ts'
import { buildSpec } from './build-spec.ts'
import { withinOwnLimits } from './own-limits.ts'

const rlimits = [
  { type: 'RLIMIT_NOFILE', hard: 5000, soft: 3000 },
  { type: 'RLIMIT_CORE', hard: 10, soft: 5 },
]
const process = { ...buildSpec(sampleSpecInput).process, oomScoreAdj: -500, rlimits }
const hardLimits = new Map([['RLIMIT_NOFILE', 1000]])

describe('a process within the limits of the daemon', () => {
  it('has no higher hard limit, and no lower OOM score, than the daemon has', () => {
    const found = withinOwnLimits(process, { hardLimits, oomScore: { own: 10, canLower: false } })
    assert.equal(found.oomScoreAdj, 10)
    assert.deepEqual(found.rlimits, [{ type: 'RLIMIT_NOFILE', hard: 1000, soft: 1000 }, rlimits[1]])
  })

  it('is left alone when the daemon may raise limits, and when it asks for nothing', () => {
    assert.equal(withinOwnLimits(process, { hardLimits, oomScore: { own: 10, canLower: true } }), process)
    const plain = buildSpec(sampleSpecInput).process
    assert.deepEqual(withinOwnLimits(plain, { ...sampleFacts, hardLimits }), plain)
  })
})
