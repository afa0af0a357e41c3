import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFile, mkdir, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { pathExists } from '#base/files'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { configureNri, nriSocketPath } from '../critest/node.ts'
import { int64 } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { readText } from '../harness/files.ts'
import { cacheBinDir } from '../harness/paths.ts'
import { exited } from '../harness/states.ts'
import { type Story, useWorld } from '../harness/world.ts'

/** The plugin of e2e/tools/nri-plugin: the upstream stub. */
const pluginPath = join(cacheBinDir, 'nri-plugin')
const skip = (await pathExists(pluginPath)) ? false : 'machine cannot: Go is not installed'
const story = useWorld({ prepare: scratch => configureNri(scratch) })

interface ExternalPlugin {
  /** What it has heard, one line each. */
  heard(): Promise<readonly string[]>
  hears(line: string): Promise<void>
  /** SIGSTOP. */
  freeze(): void
}

/** Starts an external plugin, waits until it has seen everything, and ends it after the body. */
async function withPlugin(
  s: Story,
  index: string,
  body: (plugin: ExternalPlugin) => Promise<void>,
): Promise<void> {
  const events = join(s.scratch.dir, `events-${index}`)
  const child = spawn(pluginPath, [], {
    env: {
      NRI_SOCKET: nriSocketPath(s.scratch),
      NRI_PLUGIN_NAME: 'external',
      NRI_PLUGIN_IDX: index,
      EVENTS: events,
    },
    stdio: 'ignore',
  })
  const ended = new Promise<void>(resolve => {
    child.once('exit', () => {
      resolve()
    })
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  const heard = async (): Promise<readonly string[]> => (await readText(events)).trimEnd().split('\n')
  const hears = async (line: string): Promise<void> => {
    await eventually(`the plugin hears "${line}"`, async () => (await heard()).includes(line))
  }
  const freeze = (): void => {
    child.kill('SIGSTOP')
  }
  try {
    await eventually('the plugin is synchronized', async () =>
      (await heard()).some(line => line.startsWith('synchronize')),
    )
    await body({ heard, hears, freeze })
  } finally {
    await stop()
  }
}

test(
  'a plugin on the upstream stub hears of everything in order and changes containers',
  { skip },
  story(s =>
    withPlugin(s, '10', async plugin => {
      const pod = await s.runPod({ name: 'web' })
      const id = await s.create(pod, {
        name: 'main',
        shell: 'sleep 1000',
        annotations: { 'nri.test/removed': 'x', 'nri.test/kept': 'x' },
      })
      await s.cri.startContainer(id)
      assert.equal(await s.exec(id, 'sh', '-c', 'echo $FROM_PLUGIN'), 'yes')
      assert.match(await s.exec(id, 'cat', '/proc/1/limits'), /core file size +1024 +4096/)
      assert.match(await s.exec(id, 'grep', '/from-plugin', '/proc/mounts'), /tmpfs \/from-plugin tmpfs/)
      const status = await s.cri.containerStatus(id)
      const { linux } = status.resources ?? {}
      assert.equal(linux?.memoryLimitInBytes?.toNumber(), 64 << 20, 'clients see the limit')
      await s.cri.client.call(rpc.UpdateContainerResources, {
        containerId: id,
        linux: { cpuShares: int64(300) },
      })
      const updated = (await s.cri.containerStatus(id)).resources?.linux
      assert.equal(updated?.cpuShares?.toNumber(), 600, 'the plugin has doubled them')
      assert.equal(updated.memoryLimitInBytes?.toNumber(), 64 << 20)
      await s.cri.stopContainer(id, 0)
      await s.cri.removeContainer(id)
      await s.cri.stopPod(pod.id)
      await s.cri.stopPod(pod.id)
      await s.cri.removePod(pod.id)
      assert.deepEqual(await plugin.heard(), [
        'configured by lighter',
        'synchronize 0 pods 0 containers',
        'run pod web 1',
        'create main in web',
        'created main',
        'start main',
        'started main running true',
        'update main shares 300',
        'updated main',
        'stop main exit code 137',
        'remove main',
        'stop pod web',
        'remove pod web',
      ])
    }),
  ),
)

test(
  'a plugin that comes late, also to a daemon that was killed, finds everything; ends by themselves are told',
  { skip },
  story(async s => {
    const pod = await s.runPod({ name: 'late' })
    await s.run(pod, { name: 'stays', shell: 'sleep 1000' })
    await s.daemon.kill()
    await s.daemon.start()
    await withPlugin(s, '20', async plugin => {
      assert.deepEqual((await plugin.heard()).slice(1), [
        'synchronize 1 pods 1 containers',
        'found stays CONTAINER_RUNNING args [/bin/sh -c sleep 1000]',
      ])
      const short = await s.run(pod, { name: 'short', shell: 'exit 3' })
      await exited(s.cri, short)
      await plugin.hears('stop short exit code 3')
      assert.equal((await plugin.heard()).filter(line => line.startsWith('stop short')).length, 1)
    })
    await s.run(pod, { name: 'after', shell: 'sleep 1000' })
  }),
)

test(
  'pre-installed plugins are started with their configuration, survive nothing, and leave nothing',
  { skip },
  story(async s => {
    const [plugins, configs] = [join(s.scratch.dir, 'nri-plugins'), join(s.scratch.dir, 'nri-conf.d')]
    const events = join(s.scratch.dir, 'events-preinstalled')
    await Promise.all([mkdir(plugins), mkdir(configs)])
    await copyFile(pluginPath, join(plugins, '15-test'))
    await writeFile(join(plugins, '16-broken'), '#!/bin/false\n', { mode: 0o755 })
    await writeFile(join(configs, 'test.conf'), events)
    const lines = async (): Promise<readonly string[]> => (await readText(events)).trimEnd().split('\n')
    const running = async (): Promise<boolean> => (await pidsOf(join(plugins, '15-test'))).length > 0

    assert.equal(await s.daemon.stop(), 0)
    await s.daemon.start()
    const pod = await s.runPod({ name: 'early' })
    assert.deepEqual(await lines(), [
      'configured by lighter',
      'synchronize 0 pods 0 containers',
      'run pod early 1',
    ])
    assert.ok(await running())
    await s.daemon.kill()
    await eventually('the plugin goes with its daemon', async () => !(await running()))
    await s.daemon.start()
    assert.deepEqual((await lines()).slice(3), ['configured by lighter', 'synchronize 1 pods 0 containers'])
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
    assert.equal(await s.daemon.stop(), 0)
    assert.equal((await lines()).at(-1), 'shutdown')
    assert.ok(!(await running()))
    await rm(plugins, { recursive: true })
  }),
)

test(
  'a plugin that hangs is disconnected, and the pod runs',
  { skip },
  story(s =>
    withPlugin(s, '30', async plugin => {
      plugin.freeze()
      const startedAt = Date.now()
      const pod = await s.runPod()
      assert.ok(Date.now() - startedAt < 10_000)
      await s.run(pod, { shell: 'sleep 1000' })
      assert.match(await s.daemon.log(), /NRI plugin was lost while it was asked/)
    }),
  ),
)

/** Processes that run this program. */
async function pidsOf(path: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter(entry => /^\d+$/.test(entry))
  const programs = await Promise.all(pids.map(pid => readlink(`/proc/${pid}/exe`).catch(() => '')))
  return pids.flatMap((pid, index) => (programs[index] === path ? [Number(pid)] : []))
}
