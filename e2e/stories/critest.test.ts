import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { suiteWithDigest } from '../critest/digest-spec.ts'
import { excluded, unexpected } from '../critest/expectations.ts'
import { prepareForSuite, withSuiteNode } from '../critest/node.ts'
import { runSuite, type SuiteOptions, whyNoCritest } from '../critest/suite.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld({ logLevel: 'info' })
const skip = await whyNoCritest()

/** Specs of the pinned release, those that are excluded and the benchmarks aside. */
const specCount = 116

async function run({ scratch }: Story, options: Partial<SuiteOptions>) {
  const workDir = join(scratch.dir, `critest-${Date.now().toString(36)}`)
  await mkdir(workDir)
  return withSuiteNode(() => runSuite({ socketPath: scratch.socketPath, workDir, ...options }))
}

test(
  'the upstream conformance suite passes, all of it that this machine can show',
  { skip },
  story(async s => {
    await prepareForSuite(s)
    const outcomes = await run(s, { skip: excluded.map(({ spec }) => spec.source) })
    assert.deepEqual(unexpected(outcomes), [])
    assert.ok(outcomes.length >= specCount, `only ${String(outcomes.length)} specs ran`)
  }),
)

test(
  'its streaming specs pass over WebSocket, too',
  { skip },
  story(async s => {
    await prepareForSuite(s)
    const outcomes = await run(s, { focus: 'Streaming', isWebSocket: true })
    assert.deepEqual(unexpected(outcomes), [])
    assert.equal(outcomes.length, 5)
  }),
)

test(
  'the spec that pulls by a digest passes when the suite names the digest of an image that can be had',
  { skip },
  story(async s => {
    const digest = await prepareForSuite(s)
    const suitePath = await suiteWithDigest(s.scratch.dir, digest)
    const outcomes = await run(s, { suitePath, focus: 'public image with digest' })
    assert.deepEqual(
      outcomes.map(({ state, message }) => [state, message]),
      [['passed', '']],
    )
  }),
)
