import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { isKind } from '#base/errors'
import { createGate } from './gate.ts'
import {
  callNames,
  calls,
  failing,
  installPlugin,
  oneAddress,
  printing,
  writeConfList,
} from './testing/fake-plugin.ts'
import {
  cleanup,
  eventually,
  startNetwork,
  testAttachment,
  testCtx,
  testDirectory,
} from './testing/test-network.ts'

const lists: readonly { readonly changes: object; readonly runs: number }[] = [
  { changes: { cniVersion: '1.1.0' }, runs: 2 },
  { changes: { cniVersion: '1.1.0', disableGC: true }, runs: 0 },
  { changes: { cniVersion: '1.0.0' }, runs: 0 },
]

for (const { changes, runs } of lists) {
  test(`gc runs GC ${runs} times for two plugins of a list with ${JSON.stringify(changes)}`, async test => {
    const t = cleanup(test)
    const directory = await testDirectory(t)
    await installPlugin(directory, 'first')
    await installPlugin(directory, 'second')
    await writeConfList(directory, ['first', 'second'], { ...changes })
    const network = await startNetwork(t, directory)
    const kept = testAttachment()
    const stale = testAttachment()
    await network.add(testCtx, kept)
    await network.add(testCtx, stale)
    await network.gc(testCtx, new Set([kept.containerId]))
    assert.deepEqual(network.attachedIds(), [kept.containerId])
    const collected = (await calls(directory)).filter(call => call.command === 'GC')
    assert.equal(collected.length, runs)
    for (const { request, env } of collected) {
      assert.deepEqual(request['cni.dev/valid-attachments'], [
        { containerID: kept.containerId, ifname: 'eth0' },
      ])
      assert.equal(env['CNI_CONTAINERID'], undefined)
    }
    const deleted = (await calls(directory)).filter(call => call.command === 'DEL')
    assert.deepEqual(
      deleted.map(call => [call.type, call.env['CNI_CONTAINERID']]),
      [
        ['second', stale.containerId],
        ['first', stale.containerId],
      ],
    )
  })
}

test('gc tries everything, reports all errors and keeps what failed', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first', {
    DEL: failing({ code: 11, msg: 'DEL failed' }),
    GC: failing({ code: 5, msg: 'GC failed' }),
  })
  await installPlugin(directory, 'second')
  await writeConfList(directory, ['first', 'second'], { cniVersion: '1.1.0' })
  const network = await startNetwork(t, directory)
  const stale = testAttachment()
  await network.add(testCtx, stale)
  await assert.rejects(network.gc(testCtx, new Set()), err => {
    return isKind(err, 'unavailable') && /DEL failed; .*GC failed$/.test(err.message)
  })
  assert.deepEqual(network.attachedIds(), [stale.containerId])
  const expected = [
    'first STATUS',
    'second STATUS',
    'first ADD',
    'second ADD',
    'second DEL',
    'first DEL',
    'first GC',
    'second GC',
  ]
  assert.deepEqual(await callNames(directory), expected)
  assert.deepEqual((await calls(directory)).at(-1)?.request['cni.dev/valid-attachments'], [
    { containerID: stale.containerId, ifname: 'eth0' },
  ])
})

test('gc waits for a running ADD', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const added = join(directory, 'added')
  await installPlugin(directory, 'first', {
    ADD: `sleep 0.3\ntouch ${added}\n${printing(oneAddress)}`,
    DEL: `test -e ${added} || exit 1`,
  })
  await writeConfList(directory, ['first'])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment()
  const running = network.add(testCtx, attachment)
  await eventually('ADD runs', () => network.isAttached(attachment.containerId))
  await network.gc(testCtx, new Set())
  await running
  assert.deepEqual(network.attachedIds(), [])
  assert.deepEqual(await callNames(directory), ['first ADD', 'first DEL'])
})

test('the gate lets many in at once, or one alone', async () => {
  const gate = createGate()
  const events: string[] = []
  const held: (() => void)[] = []
  const work = (name: string) => async () => {
    events.push(`${name} in`)
    await new Promise<void>(resolve => held.push(resolve))
    events.push(`${name} out`)
  }
  const release = async () => {
    held.shift()?.()
    await turn()
  }
  const all = [gate.shared(work('a')), gate.shared(work('b')), gate.alone(work('c')), gate.shared(work('d'))]
  const failed = assert.rejects(
    gate.alone(() => Promise.reject(new Error('no'))),
    /no/,
  )
  await turn()
  assert.deepEqual(events, ['a in', 'b in'])
  await release()
  await release()
  assert.deepEqual(events.slice(2), ['a out', 'b out', 'c in'])
  await release()
  assert.deepEqual(events.slice(5), ['c out', 'd in'])
  await release()
  await Promise.all(all)
  await failed
  assert.equal(await gate.shared(() => Promise.resolve('open')), 'open')
})
