import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Clock } from '#base/clock'
import { isKind, RuntimeError } from '#base/errors'
import { parseContainerId, parsePodId } from '#base/ids'
import { silentLog } from '#base/log'
import type { StatsOperations } from '../engine.ts'
import type { Container } from '../model/container.ts'
import { sampleConfig } from '../oci/testing/samples.ts'
import { createContainerStats, statsLimits } from './container-stats.ts'
import { layerLimits } from './layer-usage.ts'

const ctx = { signal: new AbortController().signal, log: silentLog }

function container(letter: string, change: Partial<Container> = {}): Container {
  return {
    id: parseContainerId(letter.repeat(64)),
    podId: parsePodId('f'.repeat(64)),
    owner: 'k8s.io',
    config: sampleConfig,
    imageId: 'sha256:' as Container['imageId'],
    imageRef: '',
    phase: 'running',
    stage: '',
    createdAtNs: 1n,
    startedAtNs: 1n,
    finishedAtNs: 0n,
    pid: 1,
    exit: undefined,
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    stopSignal: 'SIGTERM',
    logPath: '',
    cgroupsPath: '/',
    resources: undefined,
    ...change,
  }
}

describe('stats of containers', () => {
  let root: string
  let nowMs: number
  let live: Container[]
  let walks: { readonly finish: (bytes: number) => void; readonly fail: (err: Error) => void }[]
  let stats: StatsOperations
  /** Ends the waiting for a walk. */
  let wake: () => void

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lighter-stats-'))
    nowMs = 1_000
    live = [container('a')]
    walks = []
    const clock: Clock = {
      now: () => BigInt(nowMs) * 1_000_000n,
      sleep: () =>
        new Promise(resolve => {
          wake = resolve
        }),
    }
    stats = createContainerStats({
      containers: {
        get(id) {
          const found = live.find(candidate => candidate.id === id)
          if (!found) throw new RuntimeError('not-found', `container "${id}" not found`)
          return found
        },
        list: ({ phases, id }) =>
          live.filter(({ phase, id: own }) => (phases?.includes(phase) ?? true) && own.startsWith(id ?? '')),
      },
      rootfs: {
        mountpoint: '/data',
        usage: () =>
          new Promise((resolve, reject) => {
            walks.push({
              finish: bytes => {
                resolve({ bytes, inodes: 1 })
              },
              fail: reject,
            })
          }),
      },
      cgroups: {
        version: 2,
        driver: 'cgroupfs',
        controllers: { pids: root },
        unified: root,
        hasSwapAccounting: false,
      },
      clock,
    })
    await setPids(1)
  })
  afterEach(() => rm(root, { recursive: true }))

  const setPids = (pids: number): Promise<void> => writeFile(join(root, 'pids.current'), `${pids}\n`)
  const id = 'a'.repeat(64)

  async function ask(bytes: number): Promise<{ readonly pids: number; readonly bytes: number | undefined }> {
    const known = walks.length
    const asked = stats.container(ctx, id)
    walks[known]?.finish(bytes)
    const { pids, writableLayer } = await asked
    return { pids, bytes: writableLayer?.bytes }
  }

  it('are read again only after a while', async () => {
    assert.deepEqual(await ask(10), { pids: 1, bytes: 10 })
    await setPids(2)
    nowMs += statsLimits.freshMs - 1
    assert.equal((await ask(10)).pids, 1)
    nowMs += 1
    assert.equal((await ask(10)).pids, 2)
  })

  it('walk a writable layer only when its figure is old', async () => {
    await ask(10)
    nowMs += layerLimits.freshMs - 1
    assert.equal((await ask(20)).bytes, 10)
    assert.equal(walks.length, 1)
    nowMs += 1
    assert.equal((await ask(30)).bytes, 30)
    assert.equal(walks.length, 2)
  })

  it('do not wait for a long walk, and use what it finds later', async () => {
    await ask(10)
    nowMs += layerLimits.freshMs
    const asked = stats.container(ctx, id)
    wake()
    assert.equal((await asked).writableLayer?.bytes, 10)
    const again = stats.container(ctx, id)
    assert.equal(walks.length, 2)
    walks[1]?.finish(20)
    assert.equal((await again).writableLayer?.bytes, 20)
  })

  it('have no writable layer when nothing is known of it', async () => {
    const asked = stats.container(ctx, id)
    walks[0]?.fail(new RuntimeError('not-found', 'gone'))
    assert.equal((await asked).writableLayer, undefined)
  })

  it('name the file system of the writable layer', async () => {
    const asked = stats.container(ctx, id)
    walks[0]?.finish(5)
    assert.deepEqual((await asked).writableLayer, { mountpoint: '/data', bytes: 5, inodes: 1 })
  })

  it('of all leave out what has exited, unless it is asked for', async () => {
    live = [container('a'), container('b', { phase: 'exited' }), container('c', { phase: 'created' })]
    const listed = async (filter: Parameters<StatsOperations['containers']>[1]): Promise<string> => {
      const asked = stats.containers(ctx, filter)
      for (const walk of walks) walk.finish(1)
      return (await asked).map(found => found.id[0]).join('')
    }
    assert.equal(await listed({}), 'ac')
    assert.equal(await listed({ id: 'bb' }), 'b')
  })

  it('of an unknown container are not found', async () => {
    await assert.rejects(stats.container(ctx, 'x'), err => isKind(err, 'not-found'))
  })

  it('are not read for a caller that is gone', async () => {
    const gone = { signal: AbortSignal.abort(), log: silentLog }
    await assert.rejects(stats.container(gone, id), err => isKind(err, 'cancelled'))
    assert.equal(walks.length, 0)
  })
})
