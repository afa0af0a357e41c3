import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
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
