import type { TestContext } from 'node:test'
import { RuntimeError } from '#base/errors'
import type { StatsOperations } from '../../engine.ts'
import type { Container } from '../../model/container.ts'
import type { Pod } from '../../model/pod.ts'
import { createPaths } from '../../state/paths.ts'
import { createFakeClock, type FakeClock } from '../../testing/fake-clock.ts'
import { createFakeHost, type FakeHost } from '../../testing/fake-host.ts'
import { statsOperations } from '../stats-operations.ts'
import { createTextFiles } from '../text-files.ts'
import { type FixtureTree, makeFixtureTree } from './fixture-tree.ts'

/** A walk through a writable layer that waits to be told how it ends. */
export interface FakeWalk {
  finish(bytes: number): void
  fail(err: Error): void
}

/** Statistics of pods and containers that a test puts in, over fixture files. */
export interface StatsBench {
  readonly stats: StatsOperations
  readonly tree: FixtureTree
  readonly host: FakeHost
  readonly clock: FakeClock
  readonly walks: readonly FakeWalk[]
  pods: readonly Pod[]
  containers: readonly Container[]
  /** Where the network namespace of a pod is pinned. */
  pin(pod: Pod): string
}

export async function makeStatsBench(
  t: TestContext,
  kind: 'v1' | 'hybrid' | 'v2' = 'v2',
): Promise<StatsBench> {
  const tree = await makeFixtureTree(t)
  const host = createFakeHost()
  const clock = createFakeClock()
  const walks: FakeWalk[] = []
  const paths = createPaths({ rootDir: '/data', stateDir: '/state' })
  const stats = statsOperations({
    pods: {
      get: id => found(bench.pods, id),
      list: filter =>
        bench.pods.filter(
          ({ id, phase }) =>
            id.startsWith(filter.id ?? '') &&
            (filter.isReady === undefined || filter.isReady === (phase === 'ready')),
        ),
    },
    containers: {
      get: id => found(bench.containers, id),
      list: filter =>
        bench.containers.filter(
          ({ id, phase, podId }) =>
            (filter.phases?.includes(phase) ?? true) &&
            id.startsWith(filter.id ?? '') &&
            podId.startsWith(filter.podId ?? ''),
        ),
    },
    rootfs: {
      mountpoint: tree.root,
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
    host,
    paths,
    layout: tree.layout(kind),
    files: createTextFiles(),
    clock,
  })
  const bench: StatsBench = {
    stats,
    tree,
    host,
    clock,
    walks,
    pods: [],
    containers: [],
    pin: pod => paths.pod(pod.id).network,
  }
  return bench
}

function found<Item extends { readonly id: string }>(items: readonly Item[], id: string): Item {
  const item = items.find(candidate => candidate.id === id)
  if (!item) throw new RuntimeError('not-found', `"${id}" not found`)
  return item
}
