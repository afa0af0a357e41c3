import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors'
import { effectiveStopSignal, signalNumber } from './stop-signal.ts'

describe('the stop signal of a container', () => {
  const cases = [
    { config: '', image: '', name: 'SIGTERM', number: 15 },
    { config: '', image: 'SIGQUIT', name: 'SIGQUIT', number: 3 },
    { config: 'SIGUSR1', image: 'SIGQUIT', name: 'SIGUSR1', number: 10 },
    { config: '', image: 'quit', name: 'SIGQUIT', number: 3 },
    { config: '', image: '9', name: 'SIGKILL', number: 9 },
    { config: '', image: 'SIGRTMIN', name: 'SIGRTMIN', number: 34 },
    { config: '', image: 'SIGRTMIN+3', name: 'SIGRTMIN+3', number: 37 },
    { config: '', image: 'RTMIN+30', name: 'SIGRTMAX', number: 64 },
    { config: '', image: 'SIGRTMIN+16', name: 'SIGRTMAX-14', number: 50 },
    { config: 'SIGRTMAX-14', image: '', name: 'SIGRTMAX-14', number: 50 },
    { config: '', image: '49', name: 'SIGRTMIN+15', number: 49 },
  ]
  for (const { config, image, name, number } of cases) {
    it(`is ${name} for "${config}" over "${image}" of the image`, () => {
      assert.equal(effectiveStopSignal(config, image), name)
      assert.equal(signalNumber(name), number)
    })
  }

  for (const name of [
    'SIGNOTHING',
    '0',
    '65',
    '-1',
    'SIGRTMIN+31',
    'SIGRTMAX-31',
    'SIGRTMIN-1',
    'constructor',
  ]) {
    it(`is refused when it is ${name}`, () => {
      assert.throws(
        () => effectiveStopSignal('', name),
        err => isKind(err, 'invalid-argument'),
      )
    })
  }
})
