import assert from 'node:assert/strict'
import { test } from 'node:test'
import { v1 } from '#proto'
import { signalName, signalNamed } from './signal.ts'

test('every signal of the interface has a name and comes back from it', () => {
  const signals = Object.values(v1.Signal).filter(signal => typeof signal !== 'string')
  assert.equal(signals.length, 66)
  for (const signal of signals) assert.equal(signalNamed(signalName(signal)), signal)
})

test('the names are those that images use', () => {
  const table: [v1.Signal, string][] = [
    [v1.Signal.SIGNAL_RUNTIME_DEFAULT, ''],
    [v1.Signal.SIGNAL_SIGTERM, 'SIGTERM'],
    [v1.Signal.SIGNAL_SIGRTMIN, 'SIGRTMIN'],
    [v1.Signal.SIGNAL_SIGRTMINPLUS15, 'SIGRTMIN+15'],
    [v1.Signal.SIGNAL_SIGRTMAXMINUS1, 'SIGRTMAX-1'],
    [v1.Signal.SIGNAL_SIGRTMAX, 'SIGRTMAX'],
  ]
  for (const [signal, name] of table) assert.equal(signalName(signal), name)
})

test('a name that the interface does not have is the default', () => {
  assert.equal(signalNamed('SIGNONSENSE'), v1.Signal.SIGNAL_RUNTIME_DEFAULT)
})
