import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { isKind } from '#base/errors'
import type { Attachment, NetworkService } from './network.ts'
import {
  connect,
  leases,
  natRules,
  pluginDirectory,
  ports,
  type RealNetwork,
  realNetwork,
  serve,
  testNetns,
} from './testing/real-plugins.ts'
import {
  type Cleanup,
  cleanup,
  command,
  startNetwork,
  testAttachment,
  testCtx,
} from './testing/test-network.ts'

const binDirs = [pluginDirectory]

/** A started network and an attachment with a namespace, which is detached after the test. */
async function oneAttachment(
  t: Cleanup,
  capabilities: Attachment['capabilities'] = {},
): Promise<{ real: RealNetwork; network: NetworkService; attachment: Attachment }> {
  const real = await realNetwork(t)
  const network = await startNetwork(t, real.directory, { binDirs })
  const attachment = testAttachment({ netnsPath: await testNetns(t), capabilities })
  t.after(() => network.del(testCtx, attachment))
  return { real, network, attachment }
}

function publish(hostPort: number): Attachment['capabilities'] {
  return { portMappings: [{ hostPort, containerPort: 8080, protocol: 'tcp' }] }
}

async function assertNothingLeft(real: RealNetwork, { containerId }: Attachment): Promise<void> {
  assert.deepEqual(await leases(real), [])
  assert.deepEqual(await ports(real), [])
  assert.deepEqual(await natRules(containerId), [])
}

test('two attached namespaces get addresses and reach each other', async test => {
  const t = cleanup(test)
  const { real, network, attachment: one } = await oneAttachment(t)
  const two = testAttachment({ netnsPath: await testNetns(t) })
  t.after(() => network.del(testCtx, two))

  const [first, second] = await Promise.all([network.add(testCtx, one), network.add(testCtx, two)])
  assert.equal(first.ips.length, 1)
  assert.deepEqual([...(await leases(real))].sort(), [...first.ips, ...second.ips].sort())
  assert.equal((await ports(real)).length, 2)
  const text = await serve(t, { netnsPath: two.netnsPath, port: 8080 })
  assert.equal(await connect({ host: second.ips[0] ?? '', port: 8080, netnsPath: one.netnsPath }), text)
  await network.check(testCtx, one)

  await network.del(testCtx, one)
  await network.del(testCtx, one)
  assert.deepEqual(await leases(real), second.ips)
  assert.deepEqual(network.attachedIds(), [two.containerId])
  await network.del(testCtx, two)
  await assertNothingLeft(real, two)
  assert.deepEqual(await natRules(one.containerId), [])
})

test('a published port answers on the host until DEL', async test => {
  const t = cleanup(test)
  const hostPort = randomInt(20_000, 30_000)
  const { real, network, attachment } = await oneAttachment(t, publish(hostPort))
  await network.add(testCtx, attachment)
  const text = await serve(t, { netnsPath: attachment.netnsPath, port: 8080 })
  assert.equal(await connect({ host: '127.0.0.1', port: hostPort }), text)
  await network.del(testCtx, attachment)
  await assert.rejects(connect({ host: '127.0.0.1', port: hostPort }), /ECONNREFUSED/)
  await assertNothingLeft(real, attachment)
})

test('CHECK names the plugin when the interface is gone', async test => {
  const t = cleanup(test)
  const { network, attachment } = await oneAttachment(t)
  await network.add(testCtx, attachment)
  await command('ip', '-n', basename(attachment.netnsPath), 'link', 'del', 'eth0')
  await assert.rejects(
    network.check(testCtx, attachment),
    /CNI plugin "bridge" of conf list .*, CHECK: .*eth0/,
  )
})

test('DEL after a restart removes what was added before, with other conf lists in place', async test => {
  const t = cleanup(test)
  const { real, network, attachment } = await oneAttachment(t, publish(randomInt(20_000, 30_000)))
  await network.add(testCtx, attachment)
  await network.stop()
  const confFile = join(real.directory, 'conf', '10-lighter.conflist')
  const conf = await readFile(confFile, 'utf8')
  await writeFile(confFile, conf.replaceAll('"lighter"', '"other"'))

  const restarted = await startNetwork(t, real.directory, { binDirs })
  assert.deepEqual(restarted.attachedIds(), [attachment.containerId])
  assert.equal(restarted.isAttached(attachment.containerId), true)
  await restarted.del(testCtx, attachment)
  assert.equal(restarted.isAttached(attachment.containerId), false)
  await assertNothingLeft(real, attachment)
})

test('DEL works when the namespace is gone', async test => {
  const t = cleanup(test)
  const { real, network, attachment } = await oneAttachment(t)
  await network.add(testCtx, attachment)
  await command('ip', 'netns', 'del', basename(attachment.netnsPath))
  await network.del(testCtx, attachment)
  assert.deepEqual(await leases(real), [])
  assert.equal(network.isAttached(attachment.containerId), false)
})

test('DEL by a caller that has lost the path finds the namespace', async test => {
  const t = cleanup(test)
  const { real, network, attachment } = await oneAttachment(t)
  await network.add(testCtx, attachment)
  await network.del(testCtx, { ...attachment, netnsPath: '' })
  await assertNothingLeft(real, attachment)
})

test('DEL works when the pin of the namespace is a plain file', async test => {
  const t = cleanup(test)
  const { real, network, attachment } = await oneAttachment(t)
  await network.add(testCtx, attachment)
  await command('ip', 'netns', 'del', basename(attachment.netnsPath))
  await writeFile(attachment.netnsPath, '')
  t.after(() => rm(attachment.netnsPath, { force: true }))
  await network.del(testCtx, attachment)
  assert.deepEqual(await leases(real), [])
  assert.deepEqual(network.attachedIds(), [])
})

test('many containers are attached and detached at once', async test => {
  const t = cleanup(test)
  const { real, network } = await oneAttachment(t)
  const attachments: Attachment[] = []
  for (let i = 0; i < 8; i++) {
    const attachment = testAttachment({ netnsPath: await testNetns(t) })
    t.after(() => network.del(testCtx, attachment))
    attachments.push(attachment)
  }
  const results = await Promise.all(attachments.map(attachment => network.add(testCtx, attachment)))
  assert.equal(new Set(results.flatMap(({ ips }) => ips)).size, attachments.length)
  await Promise.all(attachments.map(attachment => network.del(testCtx, attachment)))
  for (const attachment of attachments) await assertNothingLeft(real, attachment)
})

test('DEL after a failed second plugin leaves no lease, no veth and no rule', async test => {
  const t = cleanup(test)
  // portmap refuses a port that is none, after bridge has done its part.
  const { real, network, attachment } = await oneAttachment(t, publish(70_000))
  await assert.rejects(
    network.add(testCtx, attachment),
    /CNI plugin "portmap" of conf list .*10-lighter\.conflist, ADD: /,
  )
  assert.equal((await leases(real)).length, 1)
  assert.equal(network.isAttached(attachment.containerId), true)
  await network.del(testCtx, attachment)
  assert.equal(network.isAttached(attachment.containerId), false)
  await assertNothingLeft(real, attachment)
})

test('gc deletes the attachments that are not valid and leaves the others alone', async test => {
  const t = cleanup(test)
  const { real, network, attachment: kept } = await oneAttachment(t)
  const lost = testAttachment({ netnsPath: await testNetns(t) })
  t.after(() => network.del(testCtx, lost))
  const { ips } = await network.add(testCtx, kept)
  await network.add(testCtx, lost)
  await network.gc(testCtx, new Set([kept.containerId]))
  assert.deepEqual(network.attachedIds(), [kept.containerId])
  assert.deepEqual(await leases(real), ips)
  assert.deepEqual(await natRules(lost.containerId), [])
  await network.check(testCtx, kept)
})

test('a full subnet is an error with the words of host-local', async test => {
  const t = cleanup(test)
  const { real, network, attachment } = await oneAttachment(t)
  const confFile = join(real.directory, 'conf', '10-lighter.conflist')
  const conf = await readFile(confFile, 'utf8')
  await writeFile(confFile, conf.replace('/24', '/30'))
  const small = await startNetwork(t, real.directory, { binDirs })
  await small.add(testCtx, attachment)
  const second = testAttachment({ netnsPath: await testNetns(t) })
  t.after(() => small.del(testCtx, second))
  await assert.rejects(small.add(testCtx, second), err => {
    return isKind(err, 'internal') && /no IP addresses available/.test(err.message)
  })
  await small.del(testCtx, second)
  assert.deepEqual(small.attachedIds(), [attachment.containerId])
  await small.del(testCtx, attachment)
  await network.del(testCtx, attachment)
  await assertNothingLeft(real, attachment)
})
