import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import test from 'node:test'
import { type ErrorKind, isKind, RuntimeError } from '#base/errors'
import type { PortForward } from '#shim/host'
import type { PodPhase } from '../model/pod.ts'
import type { SessionOperations } from '../model/session.ts'
import { createContainerBench, testCtx } from '../testing/container-bench.ts'
import { samplePod, samplePodConfig } from '../testing/samples.ts'
import { sessionOperations } from './session-operations.ts'

interface ForwardBench {
  readonly sessions: SessionOperations
  readonly asked: readonly PortForward[]
  readonly podId: string
}

function duplex(): Duplex {
  return new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      done()
    },
  })
}

async function bench(pod = samplePod(), answer: () => Duplex = duplex): Promise<ForwardBench> {
  const { deps, host } = await createContainerBench()
  await deps.pods.insert(pod)
  const asked: PortForward[] = []
  host.onForward = forward => {
    asked.push(forward)
    return answer()
  }
  const sessions = sessionOperations({ containers: deps, host, ids: deps.ids }, 'k8s.io')
  return { sessions, asked, podId: pod.id }
}

test('the connection is made in the network of the pod, or of the host', async () => {
  const own = await bench()
  await own.sessions.forward(testCtx, { podId: own.podId.slice(0, 12), port: 8080 })
  const [asked] = own.asked
  assert.equal(asked?.networkPath, `/nowhere/state/pods/${own.podId}/net`)
  assert.equal(asked.port, 8080)
  assert.match(asked.socketPath, /^\/nowhere\/state\/forwards\/[0-9a-f]+$/)
  const { namespaces } = samplePodConfig()
  const config = samplePodConfig({ namespaces: { ...namespaces, network: 'node' } })
  const shared = await bench(samplePod({ config }))
  await shared.sessions.forward(testCtx, { podId: shared.podId, port: 1 })
  assert.equal(shared.asked[0]?.networkPath, undefined)
})

test('the connection ends with its caller', async () => {
  const { sessions, podId } = await bench()
  const caller = new AbortController()
  const connection = await sessions.forward({ ...testCtx, signal: caller.signal }, { podId, port: 80 })
  caller.abort()
  await once(connection, 'close')
  assert.equal(connection.destroyed, true)
})

test('what cannot be forwarded to says why and asks the host for nothing', async () => {
  const phases: readonly PodPhase[] = ['creating', 'stopping', 'notready', 'removing']
  for (const phase of phases) {
    const { sessions, podId, asked } = await bench(samplePod({ phase }))
    await assert.rejects(
      sessions.forward(testCtx, { podId, port: 80 }),
      err => isKind(err, 'failed-precondition') && err.message.includes(phase),
    )
    assert.equal(asked.length, 0)
  }
  const { sessions, podId, asked } = await bench()
  for (const port of [0, -1, 65_536, 1.5, Number.NaN]) {
    await assert.rejects(sessions.forward(testCtx, { podId, port }), err => isKind(err, 'invalid-argument'))
  }
  const others = await bench(samplePod({ owner: 'docker' }))
  for (const [where, id] of [
    [sessions, 'ffff'],
    [others.sessions, others.podId],
  ] as const) {
    await assert.rejects(where.forward(testCtx, { podId: id, port: 80 }), err => isKind(err, 'not-found'))
  }
  assert.equal(asked.length + others.asked.length, 0)
})

test('a failure names the port and the pod', async () => {
  const cases: readonly [ErrorKind, ErrorKind][] = [
    ['failed-precondition', 'failed-precondition'],
    ['not-found', 'failed-precondition'], // the pod is being stopped: its network is gone
    ['resource-exhausted', 'resource-exhausted'],
  ]
  for (const [kind, expected] of cases) {
    const { sessions, podId } = await bench(samplePod(), () => {
      throw new RuntimeError(kind, 'nothing listens on port 81 of localhost')
    })
    await assert.rejects(
      sessions.forward(testCtx, { podId, port: 81 }),
      err => isKind(err, expected) && err.message.includes('port 81') && err.message.includes(podId),
    )
  }
})
