import assert from 'node:assert/strict'
import test from 'node:test'
import { createIds } from '#base/ids'
import type { Container } from '../model/container.ts'
import { createMemoryRecords } from '../testing/memory-records.ts'
import { sampleContainer } from '../testing/samples.ts'
import { createPodMembers } from './pod-members.ts'
import { createTable } from './table.ts'

test('the containers of a pod are those in the table, as they are now, in order', async () => {
  const ids = createIds()
  const [web, db] = [ids.podId(), ids.podId()]
  const containers = [web, db, web, web].map((podId, i) => sampleContainer({ podId, createdAtNs: BigInt(i) }))
  const [first, other, second, third] = containers
  assert.ok(first && other && second && third)
  const table = createTable('container', createMemoryRecords<Container>())
  await table.insert(first)
  const members = createPodMembers(table)
  for (const container of [third, other, second]) await table.insert(container)
  assert.deepEqual(members.of(web), [first, second, third])
  assert.deepEqual(members.of(db), [other])
  const changed = await table.update(first.id, current => ({ ...current, phase: 'exited' as const }))
  await table.remove(second.id)
  await table.remove(other.id)
  assert.deepEqual(members.of(web), [changed, third])
  assert.deepEqual(members.of(db), [])
})
