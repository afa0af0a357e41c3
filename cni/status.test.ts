import assert from 'node:assert/strict'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Clock, createClock } from '#base/clock'
import { cniLimits } from './limits.ts'
import type { NetworkService } from './network.ts'
import { allCalls, callNames, calls, failing, installPlugin, writeConfList } from './testing/fake-plugin.ts'
import {
  cleanup,
  eventually,
  startNetwork,
  testAttachment,
  testCtx,
  testDirectory,
} from './testing/test-network.ts'

/** A clock that can be put forward. */
function movableClock(): Clock & { forward(ms: number): void } {
  const clock = createClock()
  let aheadNs = 0n
  return {
    now: () => clock.now() + aheadNs,
    sleep: (ms, signal) => clock.sleep(ms, signal),
    forward(ms) {
      aheadNs += BigInt(ms) * 1_000_000n
    },
  }
}

async function becomesReady(network: NetworkService, isReady: boolean): Promise<void> {
  await eventually(`ready is ${isReady}`, () => network.condition().isReady === isReady)
}

const notReady: readonly {
  readonly name: string
  readonly prepare: (directory: string) => Promise<unknown>
  readonly message: RegExp
}[] = [
  {
    name: 'no directory',
    prepare: () => Promise.resolve(),
    message: /conf does not exist: install a network plugin/,
  },
  {
    name: 'no binary',
    prepare: directory => writeConfList(directory, ['absent']),
    message: /CNI plugin "absent" is not in .*\/bin: install it there/,
  },
  {
    name: 'no IPAM binary',
    prepare: async directory => {
      await installPlugin(directory, 'first')
      await writeConfList(directory, [{ type: 'first', ipam: { type: 'host-nowhere' } }])
    },
    message: /CNI plugin "host-nowhere" is not in/,
  },
  {
    name: 'a plugin of another version',
    prepare: async directory => {
      await installPlugin(directory, 'first', { versions: ['0.3.1', '0.4.0'] })
      await writeConfList(directory, ['first'])
    },
    message: /"first" speaks 0\.3\.1, 0\.4\.0, conf list .* wants 1\.0\.0: change its cniVersion/,
  },
  {
    name: 'a plugin that cannot say its version',
    prepare: async directory => {
      await installPlugin(directory, 'first', { VERSION: 'exit 1' })
      await writeConfList(directory, ['first'])
    },
    message: /"first" speaks 0\.1\.0, conf list/,
  },
  {
    name: 'a STATUS that says so',
    prepare: async directory => {
      await installPlugin(directory, 'first', { STATUS: failing({ code: 50, msg: 'agent is down' }) })
      await writeConfList(directory, ['first'], { cniVersion: '1.1.0' })
    },
    message: /^CNI plugin "first" of conf list .*, STATUS: agent is down$/,
  },
]

for (const { name, prepare, message } of notReady) {
  test(`the network is not ready with ${name}, and says why`, async test => {
    const t = cleanup(test)
    const directory = await testDirectory(t)
    await prepare(directory)
    const condition = (await startNetwork(t, directory)).condition()
    assert.equal(condition.isReady, false)
    assert.match(condition.message, message)
  })
}

test('the network gets ready when a conf list appears, and unready when it goes', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first')
  const network = await startNetwork(t, directory)
  assert.equal(network.condition().isReady, false)
  const file = await writeConfList(directory, ['first'])
  await becomesReady(network, true)
  assert.equal(network.condition().message, '')
  await rm(file)
  await becomesReady(network, false)
})

test('VERSION runs once per binary, again when it has changed, and STATUS only for 1.1', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const clock = movableClock()
  await installPlugin(directory, 'first')
  await writeConfList(directory, ['first', 'first'])
  const network = await startNetwork(t, directory, { clock })
  const versions = async () => (await allCalls(directory)).filter(call => call.command === 'VERSION').length
  assert.equal(await versions(), 1)
  clock.forward(cniLimits.statusTtlMs + 1)
  assert.equal(network.condition().isReady, true)
  await installPlugin(directory, 'first', { versions: ['0.4.0'] })
  clock.forward(cniLimits.statusTtlMs + 1)
  await becomesReady(network, false)
  assert.equal(await versions(), 2)
  assert.deepEqual(await callNames(directory), [])
})

test('a change that inotify cannot see, behind a link, is found by the next look', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const clock = movableClock()
  const target = join(directory, 'target')
  await mkdir(join(directory, 'conf'))
  await writeFile(target, '{}')
  await symlink(target, join(directory, 'conf', '1.conflist'))
  await installPlugin(directory, 'first')
  const network = await startNetwork(t, directory, { clock })
  assert.equal(network.condition().isReady, false)
  await writeFile(target, JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'first' }] }))
  clock.forward(cniLimits.statusTtlMs + 1)
  await becomesReady(network, true)
})

test('the first directory that has a plugin is the one it is run from', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const before = join(directory, 'before')
  await installPlugin(directory, 'first', { versions: ['0.4.0'] })
  await installPlugin(before, 'first')
  await writeConfList(directory, ['first'])
  const binDirs = [join(directory, 'absent'), join(before, 'bin'), join(directory, 'bin')]
  const network = await startNetwork(t, directory, { binDirs })
  assert.deepEqual(network.condition(), { isReady: true, message: '' })
  assert.deepEqual(await allCalls(directory), [])
})

test('STATUS is asked again when what is known is too old, without waiting for it', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  const clock = movableClock()
  await installPlugin(directory, 'first')
  await writeConfList(directory, ['first'], { cniVersions: ['1.1.0'] })
  const network = await startNetwork(t, directory, { clock })
  assert.equal(network.condition().isReady, true)
  await installPlugin(directory, 'first', { STATUS: `sleep 0.2\n${failing({ code: 51, msg: 'no more' })}` })
  for (let i = 0; i < 100; i++) assert.equal(network.condition().isReady, true)
  assert.deepEqual(await callNames(directory), ['first STATUS'])
  clock.forward(cniLimits.statusTtlMs + 1)
  const startedAt = performance.now()
  assert.equal(network.condition().isReady, true)
  assert.ok(performance.now() - startedAt < 50)
  await becomesReady(network, false)
  assert.match(network.condition().message, /no more/)
  assert.deepEqual(await callNames(directory), ['first STATUS', 'first STATUS'])
})

test('a STATUS that hangs delays neither start nor stop for long', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first', { STATUS: 'sleep 1000' })
  await writeConfList(directory, ['first'], { cniVersion: '1.1.0' })
  const startedAt = performance.now()
  const network = await startNetwork(t, directory)
  assert.match(network.condition().message, /CNI plugins of .* are being asked/)
  await network.stop()
  assert.ok(performance.now() - startedAt < cniLimits.startProbeMs + 4_000)
})

test('a list that declares several versions gets the newest one that all plugins speak', async test => {
  const t = cleanup(test)
  const directory = await testDirectory(t)
  await installPlugin(directory, 'first', { versions: ['0.4.0', '1.0.0', '1.1.0'] })
  await installPlugin(directory, 'second', { versions: ['0.3.1', '0.4.0', '1.0.0', '7.0.0'] })
  await writeConfList(directory, ['first', 'second'], {
    cniVersion: '0.4.0',
    cniVersions: ['1.0.0', '1.1.0'],
  })
  const network = await startNetwork(t, directory)
  assert.equal(network.condition().isReady, true)
  await network.add(testCtx, testAttachment())
  const requests = (await calls(directory)).map(call => [call.type, call.command, call.request['cniVersion']])
  assert.deepEqual(requests, [
    ['first', 'ADD', '1.0.0'],
    ['second', 'ADD', '1.0.0'],
  ])
})
