import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { readBundle, writeBundle } from './bundle.ts'
import { buildSpec } from './spec/build-spec.ts'
import { sampleFacts, sampleResources, sampleSpecInput } from './testing/samples.ts'
import { plannedResources, updateBundle } from './update-bundle.ts'

describe('the bundle of a container with other limits', () => {
  let bundlePath: string
  beforeEach(async () => {
    bundlePath = await mkdtemp(join(tmpdir(), 'lighter-bundle-'))
    const spec = buildSpec(sampleSpecInput)
    const { linux } = spec
    // As a plugin leaves it.
    const resources = { ...linux.resources, pids: { limit: 7 }, memory: { limit: 5, reservation: 3 } }
    await writeBundle(bundlePath, { ...spec, linux: { ...linux, resources } })
  })
  afterEach(() => rm(bundlePath, { recursive: true }))

  it('has them, and all else that it had', async () => {
    const resources = { ...sampleResources, memoryLimitBytes: 4096, cpuShares: 99, oomScoreAdj: 300 }
    const before = await readBundle(bundlePath)
    const planned = await plannedResources(sampleFacts, { bundlePath, resources })
    await updateBundle(sampleFacts, { bundlePath, resources })
    const after = await readBundle(bundlePath)
    assert.deepEqual(after.linux.resources, planned)
    assert.deepEqual(planned, {
      devices: before.linux.resources.devices,
      pids: { limit: 7 },
      memory: { limit: 4096, swap: 4096, reservation: 3 },
      cpu: { shares: 99 },
    })
    assert.equal(after.process.oomScoreAdj, 300)
    assert.deepEqual({ ...after, linux: 0, process: 0 }, { ...before, linux: 0, process: 0 })
    assert.deepEqual({ ...after.process, oomScoreAdj: 0 }, { ...before.process, oomScoreAdj: 0 })
  })

  it('is as it was when they cannot be', async () => {
    const before = await readBundle(bundlePath)
    const resources = { ...sampleResources, cpuQuotaUs: -2 }
    await assert.rejects(updateBundle(sampleFacts, { bundlePath, resources }), err =>
      isKind(err, 'invalid-argument'),
    )
    assert.deepEqual(await readBundle(bundlePath), before)
  })
})
