import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind, RuntimeError } from '#base/errors'
import type { PodId } from '#base/ids'
import type { Pod } from '../model/pod.ts'
import { createMemoryRecords, type MemoryRecords } from '../testing/memory-records.ts'
import { samplePod } from '../testing/samples.ts'
import { createTable, type Table } from './table.ts'

function podId(prefix: string): PodId {
  return samplePod({ id: prefix.padEnd(64, '0') as PodId }).id
}

async function tableOf(...pods: Pod[]): Promise<{ table: Table<Pod>; records: MemoryRecords<Pod> }> {
  const records = createMemoryRecords<Pod>()
  const table = createTable('pod sandbox', records)
  for (const pod of pods) await table.insert(pod)
  return { table, records }
}

test('an id or its unique beginning finds the object', async () => {
  const a = samplePod({ id: podId('ab1') })
  const b = samplePod({ id: podId('ab2') })
  const { table } = await tableOf(a, b)
  assert.equal(table.resolve(a.id), a)
  assert.equal(table.resolve('ab2'), b)
  assert.equal(table.find('ff'), undefined)
  assert.equal(table.find(''), undefined)
  assert.throws(
    () => table.resolve('ff'),
    err => isKind(err, 'not-found'),
  )
  assert.throws(
    () => table.resolve('ab'),
    err => isKind(err, 'invalid-argument'),
  )
})

test('a change that cannot be written changes nothing', async () => {
  const pod = samplePod()
  const { table, records } = await tableOf(pod)
  records.failNext(new Error('disk full'))
  await assert.rejects(
    table.update(pod.id, current => ({ ...current, phase: 'stopping' })),
    /disk full/,
  )
  assert.equal(table.get(pod.id), pod)
  assert.equal(records.written.get(pod.id), pod)
})

test('an end counts on a full disk, and any other failed write does not', async () => {
  const pod = samplePod()
  const { table, records } = await tableOf(pod)
  const stop = () =>
    table.update(pod.id, current => ({ ...current, phase: 'stopping' as const }), { mayOutrunDisk: true })
  records.failNext(new RuntimeError('internal', 'EIO'))
  await assert.rejects(stop(), err => isKind(err, 'internal'))
  assert.equal(table.get(pod.id), pod)
  records.failNext(new RuntimeError('resource-exhausted', 'ENOSPC'))
  await stop()
  assert.equal(table.get(pod.id)?.phase, 'stopping')
  assert.equal(records.written.get(pod.id), pod)
})

test('changes of one object follow each other, each seeing the last', async () => {
  const pod = samplePod({ pausePid: 0 })
  const { table, records } = await tableOf(pod)
  const add = (current: Pod): Pod => ({ ...current, pausePid: (current.pausePid ?? 0) + 1 })
  await Promise.all(Array.from({ length: 20 }, () => table.update(pod.id, add)))
  assert.equal(table.get(pod.id)?.pausePid, 20)
  assert.equal(records.written.get(pod.id)?.pausePid, 20)
})

test('a stage is shown at once and never written', async () => {
  const pod = samplePod()
  const { table, records } = await tableOf(pod)
  table.setStage(pod.id, 'network')
  assert.equal(table.get(pod.id)?.stage, 'network')
  assert.equal(records.written.get(pod.id)?.stage, '')
})

test('removed objects are gone from memory and disk, unknown ones cannot be updated', async () => {
  const pod = samplePod()
  const { table, records } = await tableOf(pod)
  await table.remove(pod.id)
  assert.deepEqual(table.all(), [])
  assert.equal(records.written.size, 0)
  await assert.rejects(
    table.update(pod.id, current => current),
    err => isKind(err, 'not-found'),
  )
})

test('the same id cannot be inserted twice', async () => {
  const pod = samplePod()
  const { table } = await tableOf(pod)
  await assert.rejects(table.insert(pod), err => isKind(err, 'already-exists'))
})

test('whoever observes hears of every change that memory shows, and of nothing else', async () => {
  const pod = samplePod()
  const records = createMemoryRecords<Pod>([pod])
  const table = createTable('pod sandbox', records)
  const heard: string[] = []
  table.observe(({ before, after }) => {
    heard.push(`${before?.phase ?? 'none'} > ${after?.phase ?? 'none'} ${after?.stage ?? ''}`)
    assert.equal(table.get(pod.id), after) // nobody can see it earlier
  })
  await table.load()
  await table.update(pod.id, current => current)
  records.failNext(new Error('disk full'))
  await assert.rejects(table.update(pod.id, current => ({ ...current, phase: 'stopping' })))
  table.setStage(pod.id, 'network')
  table.setStage('unknown', 'network')
  await table.update(pod.id, current => ({ ...current, phase: 'stopping' }))
  await table.remove(pod.id)
  await table.remove(pod.id)
  await table.insert(pod)
  assert.deepEqual(heard, [
    'none > ready ',
    'ready > ready network',
    'ready > stopping network',
    'stopping > none ',
    'none > ready ',
  ])
})
