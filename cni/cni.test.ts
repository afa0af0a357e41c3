import assert from 'node:assert/strict'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClock } from '#base/clock'
import { type ErrorKind, isKind, RuntimeError } from '#base/errors'
import { pathExists } from '#base/files'
import { silentLog } from '#base/log'
import { createNetwork } from './cni.ts'
import { createChildPrograms } from './testing/child-programs.ts'
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

test('ADD runs the chain in order, hands results on and answers the addresses of the last', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const last = { ...oneAddress, ips: [...oneAddress.ips, { address: 'fd00::7/64' }] }
  await installPlugin(directory, 'first')
  await installPlugin(directory, 'second', { ADD: printing(last) })
  await writeConfList(directory, ['first', 'second'])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment({ netnsPath: '/run/netns/x' })
  assert.deepEqual(await network.add(testCtx, attachment), { ips: ['10.9.8.7', 'fd00::7'] })

  const [first, second] = await calls(directory)
  assert.deepEqual(await callNames(directory), ['first ADD', 'second ADD'])
  assert.equal(first?.request['prevResult'], undefined)
  const { prevResult } = second?.request ?? {}
  assert.deepEqual(prevResult, {
    ...oneAddress,
    routes: [],
    dns: { nameservers: [], domain: '', search: [], options: [] },
  })
  assert.equal(second?.env['CNI_NETNS'], '/run/netns/x')
  await assert.rejects(network.add(testCtx, attachment), err => isKind(err, 'already-exists'))
  assert.equal((await calls(directory)).length, 2)
})

test('the attachment is on disk before the first plugin runs, and with the result after the last', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const seen = join(directory, 'seen')
  await installPlugin(directory, 'first', {
    ADD: `cp ${directory}/cache/*.json ${seen}\n${printing(oneAddress)}`,
  })
  await writeConfList(directory, ['first'])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment()
  await network.add(testCtx, attachment)
  const before = await readFile(seen, 'utf8')
  assert.match(before, new RegExp(attachment.containerId))
  assert.doesNotMatch(before, /10\.9\.8\.7/)
  assert.match(
    await readFile(join(directory, 'cache', `${attachment.containerId}.result`), 'utf8'),
    /10\.9\.8\.7/,
  )
})

const refusals: readonly {
  readonly name: string
  readonly plugin: Parameters<typeof installPlugin>[2]
  readonly kind: ErrorKind
  readonly message: RegExp
}[] = [
  {
    name: 'an error object',
    plugin: { ADD: failing({ code: 5, msg: 'no device' }) },
    kind: 'internal',
    message: /^CNI plugin "second" of conf list .*\/conf\/10-test\.conflist, ADD: no device$/,
  },
  {
    name: 'no result',
    plugin: { ADD: ':' },
    kind: 'internal',
    message: /"second" .*, ADD: its result cannot be used: not JSON$/,
  },
  {
    name: 'a result with an address that is none',
    plugin: { ADD: printing({ ips: [{ address: 'x' }] }) },
    kind: 'internal',
    message: /cannot be used: "address" is "x"/,
  },
  {
    name: 'a result of half a megabyte',
    plugin: { ADD: `printf '{"x":"'; head -c 500000 /dev/zero | tr '\\0' x; echo '"}'` },
    kind: 'internal',
    message: /cannot be used: longer than 262144 characters/,
  },
  {
    name: 'a result without an address',
    plugin: { ADD: printing({ cniVersion: '1.0.0' }) },
    kind: 'internal',
    message: /gave container [0-9a-f]{64} no IP address/,
  },
  {
    name: 'silence for ever',
    plugin: { ADD: 'sleep 1000' },
    kind: 'deadline-exceeded',
    message: /"second" .*, ADD: /,
  },
]

for (const { name, plugin, kind, message } of refusals) {
  test(`ADD fails when the second plugin answers with ${name}, and DEL cleans up after it`, async test => {
    const t = cleanup(test)
    const directory = await testDirectory(t)
    await installPlugin(directory, 'first')
    await installPlugin(directory, 'second', plugin)
    await writeConfList(directory, ['first', 'second'])
    const network = await startNetwork(t, directory, {
      pluginTimeoutMs: kind === 'deadline-exceeded' ? 500 : 20_000,
    })
    const attachment = testAttachment()
    await assert.rejects(network.add(testCtx, attachment), (err: unknown) => {
      assert.ok(err instanceof RuntimeError)
      assert.match(err.message, message)
      assert.equal(err.kind, kind)
      return true
    })
    assert.equal(network.isAttached(attachment.containerId), true)
    await network.del(testCtx, attachment)
    assert.equal(network.isAttached(attachment.containerId), false)
    assert.deepEqual(await callNames(directory), ['first ADD', 'second ADD', 'second DEL', 'first DEL'])
  })
}

test('ADD without a conf list is unavailable and says where one is sought', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const network = await startNetwork(t, directory)
  await assert.rejects(network.add(testCtx, testAttachment()), err => {
    return isKind(err, 'unavailable') && err.message.includes(`${directory}/conf does not exist`)
  })
  assert.deepEqual(network.attachedIds(), [])
})

test('ADD with a missing or unusable binary runs nothing and says where it was sought', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first')
  await installPlugin(directory, 'second')
  await writeConfList(directory, ['first', 'second'])
  const network = await startNetwork(t, directory)
  await chmod(join(directory, 'bin', 'second'), 0o644)
  await assert.rejects(network.add(testCtx, testAttachment()), /second is there, but is no executable file/)
  await rm(join(directory, 'bin', 'second'))
  await assert.rejects(network.add(testCtx, testAttachment()), err => {
    return (
      isKind(err, 'failed-precondition') &&
      err.message.includes(`"second" is not in ${directory}/bin: install`)
    )
  })
  assert.deepEqual(await calls(directory), [])
  assert.deepEqual(network.attachedIds(), [])
})

test('DEL runs backwards with what ADD saw, and once', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first')
  await installPlugin(directory, 'second')
  await writeConfList(directory, [{ type: 'first', capabilities: { mac: true }, mtu: 1400 }, 'second'])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment({ capabilities: { mac: '00:11:22:33:44:55' } })
  await network.add(testCtx, attachment)
  await writeConfList(directory, ['second'], { name: 'other' })
  await network.del(testCtx, { ...attachment, args: {}, capabilities: {}, netnsPath: '/run/netns/gone' })
  await network.del(testCtx, attachment)

  assert.deepEqual(await callNames(directory), ['first ADD', 'second ADD', 'second DEL', 'first DEL'])
  const [add, , , del] = await calls(directory)
  const { prevResult, ...request } = del?.request ?? {}
  assert.deepEqual(request, add?.request)
  assert.notEqual(prevResult, undefined)
  assert.deepEqual(del?.env, { ...add?.env, CNI_COMMAND: 'DEL', CNI_NETNS: '' })
  assert.deepEqual(await readdir(join(directory, 'cache')), [])
})

test('DEL tries every plugin, reports all errors and can be done again', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  for (const type of ['first', 'third'])
    await installPlugin(directory, type, { DEL: failing({ code: 11, msg: type }) })
  await installPlugin(directory, 'second')
  await writeConfList(directory, ['first', 'second', 'third'])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment()
  await network.add(testCtx, attachment)
  await rm(join(directory, 'bin', 'second'))
  await assert.rejects(network.del(testCtx, attachment), err => {
    return (
      isKind(err, 'unavailable') &&
      /"third" .*third; .*"second" is not in .*; .*"first" .*first$/.test(err.message)
    )
  })
  assert.equal(network.isAttached(attachment.containerId), true)
  for (const type of ['first', 'second', 'third']) await installPlugin(directory, type)
  await network.del(testCtx, attachment)
  assert.deepEqual(network.attachedIds(), [])
})

test('a container whose cache entry is broken is deleted with the current conf list', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first')
  const confFile = await writeConfList(directory, ['first'])
  const attachment = testAttachment()
  const network = await startNetwork(t, directory)
  await network.add(testCtx, attachment)
  await writeFile(join(directory, 'cache', `${attachment.containerId}.json`), 'broken')
  const restarted = await startNetwork(t, directory, { confDir: join(directory, 'none') })
  await assert.rejects(restarted.del(testCtx, attachment), err => isKind(err, 'unavailable'))
  assert.equal(restarted.isAttached(attachment.containerId), true)

  const again = await startNetwork(t, directory)
  assert.equal(again.isAttached(attachment.containerId), true)
  await again.del(testCtx, attachment)
  assert.equal(again.isAttached(attachment.containerId), false)
  assert.deepEqual(await callNames(directory), ['first ADD', 'first DEL'])
  assert.equal((await calls(directory))[1]?.request['name'], 'test', confFile)
})

test('a portmap without port mappings is not run, one with them always is', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first')
  await installPlugin(directory, 'portmap')
  await writeConfList(directory, ['first', { type: 'portmap', capabilities: { portMappings: true } }])
  const network = await startNetwork(t, directory)
  for (const portMappings of [[], [{ hostPort: 80, containerPort: 80, protocol: 'tcp' }]]) {
    const attachment = testAttachment({ capabilities: { portMappings } })
    await network.add(testCtx, attachment)
    await network.check(testCtx, attachment)
    await network.del(testCtx, attachment)
  }
  assert.deepEqual(await callNames(directory), [
    ...['first ADD', 'first CHECK', 'first DEL'],
    ...['first ADD', 'portmap ADD', 'first CHECK', 'portmap CHECK', 'portmap DEL', 'first DEL'],
  ])
})

const checks: readonly { readonly changes: object; readonly runs: number }[] = [
  { changes: {}, runs: 1 },
  { changes: { disableCheck: true }, runs: 0 },
  { changes: { cniVersion: '0.3.1' }, runs: 0 },
]

for (const { changes, runs } of checks) {
  test(`CHECK runs ${runs} plugins of a list with ${JSON.stringify(changes)}`, async test => {
    const t = cleanup(test)
    const directory = await testDirectory(t)
    await installPlugin(directory, 'first')
    await writeConfList(directory, ['first'], { ...changes })
    const network = await startNetwork(t, directory)
    const attachment = testAttachment()
    await assert.rejects(network.check(testCtx, attachment), err => isKind(err, 'not-found'))
    await network.add(testCtx, attachment)
    await network.check(testCtx, attachment)
    assert.equal((await calls(directory)).filter(call => call.command === 'CHECK').length, runs)
  })
}

test('DEL of a container waits for its running ADD', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first', { ADD: `sleep 0.3\n${printing(oneAddress)}` })
  await writeConfList(directory, ['first'])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment()
  await Promise.all([network.add(testCtx, attachment), network.del(testCtx, attachment)])
  assert.deepEqual(await callNames(directory), ['first ADD', 'first DEL'])
  assert.deepEqual(network.attachedIds(), [])
})

test('capabilities that no plugin declares are not written to disk', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first')
  await writeConfList(directory, [{ type: 'first', capabilities: { mac: true } }])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment({ capabilities: { mac: '00:11:22:33:44:55', secret: 'annotation' } })
  await network.add(testCtx, attachment)
  const text = await readFile(join(directory, 'cache', `${attachment.containerId}.json`), 'utf8')
  assert.match(text, /"capabilities":\{"mac":"00:11:22:33:44:55"\}/)
  assert.doesNotMatch(text, /annotation/)
})

test('a caller that goes away is answered at once, and DEL waits for the plugin of its ADD', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const added = join(directory, 'added')
  await installPlugin(directory, 'first', {
    ADD: `sleep 0.5\ntouch ${added}\n${printing(oneAddress)}`,
    DEL: `test -e ${added} || exit 1`,
  })
  await installPlugin(directory, 'second')
  await writeConfList(directory, ['first', 'second'])
  const network = await startNetwork(t, directory)
  const attachment = testAttachment()
  const gone = new AbortController()
  const running = network.add({ ...testCtx, signal: gone.signal }, attachment)
  await eventually('ADD runs', async () => (await calls(directory)).length > 0)
  gone.abort(new RuntimeError('deadline-exceeded', 'time is up'))
  await assert.rejects(running, err => isKind(err, 'deadline-exceeded'))
  assert.equal(await pathExists(added), false)
  await network.del(testCtx, attachment)
  assert.deepEqual(await callNames(directory), ['first ADD', 'second DEL', 'first DEL'])
  assert.deepEqual(network.attachedIds(), [])
})

test('stop waits for a running plugin', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const added = join(directory, 'added')
  await installPlugin(directory, 'first', { ADD: `sleep 0.3\ntouch ${added}\n${printing(oneAddress)}` })
  await writeConfList(directory, ['first'])
  const network = await startNetwork(t, directory)
  const running = network.add(testCtx, testAttachment())
  await eventually('ADD runs', async () => (await calls(directory)).length > 0)
  await network.stop()
  assert.equal(await pathExists(added), true)
  assert.deepEqual(await running, { ips: ['10.9.8.7'] })
})

test('a directory that is not absolute is an invalid argument', () => {
  const deps = {
    confDir: '/conf',
    binDirs: ['bin'],
    cacheDir: '/cache',
    programs: createChildPrograms(),
    pluginTimeoutMs: 1,
    log: silentLog,
    clock: createClock(),
  }
  assert.throws(
    () => createNetwork(deps),
    err => isKind(err, 'invalid-argument') && err.message.includes('"bin"'),
  )
})
