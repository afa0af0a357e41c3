import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import type { ContainerPhase } from '../model/container.ts'
import type { PodPhase } from '../model/pod.ts'
import { sampleContainer, samplePod } from '../testing/samples.ts'
import { type ContainerEvent, nextContainerPhase } from './container-machine.ts'
import { nextPodPhase, type PodEvent } from './pod-machine.ts'

const podTable: Readonly<Record<PodPhase, Readonly<Record<PodEvent, PodPhase | 'refused'>>>> = {
  creating: {
    made: 'ready',
    abandoned: 'notready',
    stop: 'stopping',
    stopped: 'refused',
    remove: 'refused',
  },
  ready: {
    made: 'refused',
    abandoned: 'refused',
    stop: 'stopping',
    stopped: 'refused',
    remove: 'refused',
  },
  stopping: {
    made: 'refused',
    abandoned: 'refused',
    stop: 'stopping',
    stopped: 'notready',
    remove: 'refused',
  },
  notready: {
    made: 'refused',
    abandoned: 'refused',
    stop: 'stopping',
    stopped: 'refused',
    remove: 'removing',
  },
  removing: {
    made: 'refused',
    abandoned: 'refused',
    stop: 'refused',
    stopped: 'refused',
    remove: 'removing',
  },
}

const containerTable: Readonly<
  Record<ContainerPhase, Readonly<Record<ContainerEvent, ContainerPhase | 'refused'>>>
> = {
  creating: {
    made: 'created',
    start: 'refused',
    started: 'refused',
    unstarted: 'refused',
    ended: 'refused',
    remove: 'removing',
  },
  created: {
    made: 'refused',
    start: 'starting',
    started: 'refused',
    unstarted: 'refused',
    ended: 'exited',
    remove: 'removing',
  },
  starting: {
    made: 'refused',
    start: 'refused',
    started: 'running',
    unstarted: 'created',
    ended: 'exited',
    remove: 'refused',
  },
  running: {
    made: 'refused',
    start: 'refused',
    started: 'running',
    unstarted: 'refused',
    ended: 'exited',
    remove: 'refused',
  },
  exited: {
    made: 'refused',
    start: 'refused',
    started: 'refused',
    unstarted: 'refused',
    ended: 'refused',
    remove: 'removing',
  },
  removing: {
    made: 'refused',
    start: 'refused',
    started: 'refused',
    unstarted: 'refused',
    ended: 'refused',
    remove: 'removing',
  },
}

function outcome<T>(run: () => T): T | 'refused' {
  try {
    return run()
  } catch (err) {
    assert.ok(isKind(err, 'failed-precondition'))
    return 'refused'
  }
}

test('every event in every phase of a pod leads where the diagram says', () => {
  for (const [phase, events] of Object.entries(podTable) as [PodPhase, (typeof podTable)[PodPhase]][]) {
    for (const [event, expected] of Object.entries(events) as [PodEvent, string][]) {
      const next = outcome(() => nextPodPhase(samplePod({ phase }), event))
      assert.equal(next, expected, `${phase} + ${event}`)
    }
  }
})

test('every event in every phase of a container leads where the diagram says', () => {
  for (const [phase, events] of Object.entries(containerTable) as [
    ContainerPhase,
    (typeof containerTable)[ContainerPhase],
  ][]) {
    for (const [event, expected] of Object.entries(events) as [ContainerEvent, string][]) {
      const next = outcome(() => nextContainerPhase(sampleContainer({ phase }), event))
      assert.equal(next, expected, `${phase} + ${event}`)
    }
  }
})

test('a refused event names the object, its phase and the event', () => {
  const pod = samplePod({ phase: 'removing' })
  assert.throws(() => nextPodPhase(pod, 'stop'), {
    message: `pod sandbox "${pod.id}" is removing: cannot stop`,
  })
})
