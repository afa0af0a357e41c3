import assert from 'node:assert/strict'
import test from 'node:test'
import type { ContainerPhase } from '../model/container.ts'
import type { PodPhase } from '../model/pod.ts'
import { sampleContainer, samplePod } from '../testing/samples.ts'
import { kindsOfContainerChange, kindsOfPodChange } from './kinds-of-change.ts'

const nothing = undefined

test('a pod is created and started, stopped by every teardown, deleted', () => {
  const lives: readonly (readonly [string, readonly (PodPhase | undefined)[], readonly string[]])[] = [
    [
      'ordinary',
      [nothing, 'creating', 'ready', 'stopping', 'stopping', 'notready', 'removing', nothing],
      ['created', 'started', 'stopped', 'deleted'],
    ],
    ['undone', [nothing, 'creating', nothing], []],
    [
      'not undone',
      [nothing, 'creating', 'notready', 'stopping', 'notready', 'removing', nothing],
      ['created', 'stopped', 'stopped', 'deleted'],
    ],
    [
      'broken off by the death of a daemon',
      [nothing, 'creating', 'stopping', 'notready', 'removing', nothing],
      ['created', 'stopped', 'deleted'],
    ],
    ['loaded', [nothing, 'ready'], ['created', 'started']],
  ]
  for (const [name, phases, expected] of lives) {
    const pods = phases.map(phase => phase && samplePod({ phase }))
    const kinds = pods.slice(1).flatMap((after, i) => kindsOfPodChange({ before: pods[i], after }))
    assert.deepEqual(kinds, expected, name)
  }
})

test('a container is created, started, stopped, deleted, each once in a life', () => {
  const lives: readonly (readonly [string, readonly (ContainerPhase | undefined)[], readonly string[]])[] = [
    [
      'ordinary',
      [nothing, 'creating', 'created', 'starting', 'running', 'running', 'exited', 'removing', nothing],
      ['created', 'started', 'stopped', 'deleted'],
    ],
    ['undone', [nothing, 'creating', nothing], []],
    ['never started', [nothing, 'creating', 'created', 'removing', nothing], ['created', 'deleted']],
    ['over before its start was recorded', ['created', 'starting', 'exited'], ['started', 'stopped']],
    ['start taken back', ['starting', 'created', 'starting', 'running'], ['started']],
    ['gone with a reboot', ['created', 'exited'], ['stopped']],
  ]
  for (const [name, phases, expected] of lives) {
    const containers = phases.map(phase => phase && sampleContainer({ phase }))
    const kinds = containers
      .slice(1)
      .flatMap((after, i) => kindsOfContainerChange({ before: containers[i], after }))
    assert.deepEqual(kinds, expected, name)
  }
})

test('a container that could not be started only stops', () => {
  const before = sampleContainer({ phase: 'starting', startedAtNs: 0n })
  assert.deepEqual(kindsOfContainerChange({ before, after: { ...before, phase: 'exited' } }), ['stopped'])
})
