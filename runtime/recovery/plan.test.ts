import assert from 'node:assert/strict'
import test from 'node:test'
import type { ShimState } from '#shim/shim'
import type { ContainerPhase } from '../model/container.ts'
import type { PodPhase } from '../model/pod.ts'
import { sampleContainer, samplePod } from '../testing/samples.ts'
import type { ObservedContainer, Strays } from './observe.ts'
import { plan } from './plan.ts'

const strays: Strays = {
  podDirectories: [],
  containerDirectories: [],
  sockets: [],
  rootfsKeys: [],
  networks: [],
}
const exited: ShimState = {
  kind: 'exited',
  exit: { exitCode: 7, signal: 0, isOomKilled: false, finishedAtNs: 5n },
}
const running: ShimState = { kind: 'running', pid: 99 }

function doneTo(observed: Partial<ObservedContainer> & { phase: ContainerPhase }): readonly object[] {
  const { phase, ...rest } = observed
  const container = sampleContainer({ phase })
  const full = {
    container,
    hasPod: true,
    state: undefined,
    hasShim: false,
    hasBundle: true,
    hasRuntimeState: false,
    ...rest,
  }
  return plan({ pods: [], containers: [full], strays })
    .filter(action => action.do !== 'sweep')
    .map(action => ({ ...action, id: undefined }))
}

const remove = { do: 'remove container', id: undefined }
const takeBack = { do: 'take back start', id: undefined }
const watch = (pid: number | undefined): object => ({ do: 'watch container', id: undefined, pid })
const end = (state: ShimState | undefined): object => ({ do: 'record end', id: undefined, state })

const containerCases: readonly (readonly [string, Parameters<typeof doneTo>[0], readonly object[]])[] = [
  ['one being made is undone', { phase: 'creating' }, [remove]],
  ['a removal is finished', { phase: 'removing' }, [remove]],
  ['a created one stays', { phase: 'created' }, []],
  [
    'a created one whose bundle a reboot took has ended',
    { phase: 'created', hasBundle: false },
    [end({ kind: 'failed', message: 'the node was restarted before the container was' })],
  ],
  ['a starting one that runs is adopted', { phase: 'starting', hasShim: true, state: running }, [watch(99)]],
  ['a starting one of which nothing has run can be started again', { phase: 'starting' }, [takeBack]],
  [
    'a starting one that the runtime had begun, without a shim, has ended unseen',
    { phase: 'starting', hasRuntimeState: true },
    [end(undefined)],
  ],
  [
    'a starting one whose bundle a reboot took has ended unseen',
    { phase: 'starting', hasBundle: false },
    [end(undefined)],
  ],
  ['a starting one that left an exit file has ended so', { phase: 'starting', state: exited }, [end(exited)]],
  ['a running one with a shim is adopted', { phase: 'running', hasShim: true, state: running }, [watch(99)]],
  [
    'one that ended while the shim lives is watched',
    { phase: 'running', hasShim: true, state: exited },
    [watch(undefined)],
  ],
  ['one that ended and whose shim is gone is recorded', { phase: 'running', state: exited }, [end(exited)]],
  ['one whose shim was killed is lost', { phase: 'running' }, [end(undefined)]],
  ['an ended one is left alone', { phase: 'exited', state: exited }, []],
  [
    'an ended one whose shim still deletes is watched',
    { phase: 'exited', hasShim: true, state: exited },
    [watch(undefined)],
  ],
  ['one without a pod is removed', { phase: 'exited', hasPod: false }, [remove]],
  [
    'a running one without a pod is ended first',
    { phase: 'running', hasPod: false, hasShim: true, state: running },
    [end(undefined), remove],
  ],
]

test('containers are recovered by what is left of them', async t => {
  for (const [name, observed, expected] of containerCases) {
    await t.test(name, () => {
      assert.deepEqual(doneTo(observed), expected)
    })
  }
})

test('pods are recovered by what is left of them', async t => {
  const cases: readonly (readonly [PodPhase, boolean, boolean, string | undefined])[] = [
    ['creating', true, true, 'remove pod'],
    ['creating', false, true, 'remove pod'],
    ['ready', true, true, undefined],
    ['ready', false, true, 'stop pod'],
    ['stopping', true, true, 'stop pod'],
    ['stopping', false, false, 'stop pod'],
    ['notready', false, false, undefined],
    ['notready', false, true, 'stop pod'],
    ['removing', false, false, 'remove pod'],
  ]
  for (const [phase, isAlive, isNetworkAttached, expected] of cases) {
    await t.test(
      `${phase}, ${isAlive ? 'alive' : 'dead'}, ${isNetworkAttached ? 'attached' : 'released'}`,
      () => {
        const pod = samplePod({ phase, isNetworkAttached })
        const [first] = plan({ pods: [{ pod, isAlive }], containers: [], strays })
        assert.equal(first?.do === 'sweep' ? undefined : first?.do, expected)
      },
    )
  }
})

test('strays are swept last', () => {
  const actions = plan({
    pods: [{ pod: samplePod({ phase: 'creating' }), isAlive: true }],
    containers: [],
    strays: { ...strays, networks: ['x'] },
  })
  assert.deepEqual(
    actions.map(action => action.do),
    ['remove pod', 'sweep'],
  )
})
