import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { eventually } from '../harness/eventually.ts'
import { useWorld } from '../harness/world.ts'

const story = useWorld()
const skip = await whyNoCrictl()

/** The files that an operator gives to crictl, in the form that its manual shows. */
async function writeConfigs(dir: string, options: { readonly cgroupParent: string; readonly image: string }) {
  const pod = {
    metadata: { name: 'walk', uid: 'walk-uid', namespace: 'default', attempt: 1 },
    hostname: 'walker',
    log_directory: join(dir, 'pod-logs', 'walk'),
    labels: { app: 'walk' },
    linux: { cgroup_parent: options.cgroupParent },
  }
  const container = {
    metadata: { name: 'main', attempt: 0 },
    image: { image: options.image },
    command: ['/bin/sh', '-c', 'echo hello from $WHO; trap "exit 0" TERM; while :; do sleep 1; done'],
    envs: [{ key: 'WHO', value: 'lighter' }],
    log_path: 'main.log',
    linux: {},
  }
  const podFile = join(dir, 'pod.json')
  const containerFile = join(dir, 'container.json')
  await writeFile(podFile, JSON.stringify(pod))
  await writeFile(containerFile, JSON.stringify(container))
  return { podFile, containerFile }
}

test(
  'crictl walks through the life of images, pods and containers',
  { skip },
  story(async ({ scratch, registry }) => {
    const crictl = await createCrictl(scratch)
    const json = async (...args: string[]): Promise<unknown> =>
      JSON.parse(await crictl(...args, '-o', 'json'))

    const version = await crictl('version')
    assert.match(version, /RuntimeName: {2}lighter\n/)
    assert.match(version, /RuntimeApiVersion: {2}v1\n/)
    const conditions = JSON.stringify(await json('info'))
    assert.match(conditions, /"type":"RuntimeReady","status":true|"status":true,[^}]*"type":"RuntimeReady"/)
    assert.match(conditions, /"type":"NetworkReady","status":true|"status":true,[^}]*"type":"NetworkReady"/)

    const pulled = await crictl('pull', registry.webServer)
    assert.match(pulled, /Image is up to date for sha256:[0-9a-f]{64}/)
    const imageId = /sha256:[0-9a-f]{64}/.exec(pulled)?.[0] ?? ''
    assert.match(await crictl('images', '--no-trunc'), new RegExp(imageId))
    assert.match(await crictl('inspecti', registry.webServer), new RegExp(imageId))

    const { podFile, containerFile } = await writeConfigs(scratch.dir, {
      cgroupParent: scratch.cgroupParent,
      image: registry.busybox,
    })
    const podId = (await crictl('runp', podFile)).trim()
    assert.match(podId, /^[0-9a-f]{64}$/)
    assert.match(await crictl('pods', '--no-trunc', '--state', 'ready'), new RegExp(podId))
    assert.match(await crictl('inspectp', podId), new RegExp(`"ip": "${scratch.subnet}\\.\\d+"`))

    const containerId = (await crictl('create', podId, containerFile, podFile)).trim()
    assert.match(containerId, /^[0-9a-f]{64}$/)
    assert.match(await crictl('ps', '-a', '--no-trunc'), new RegExp(`${containerId}.*Created`))
    await crictl('start', containerId)
    assert.match(await crictl('ps', '--no-trunc'), new RegExp(`${containerId}.*Running`))
    assert.match(await crictl('inspect', containerId.slice(0, 13)), /"state": "CONTAINER_RUNNING"/)
    await eventually('the log shows the first line', async () =>
      (await crictl('logs', containerId)).includes('hello from lighter\n'),
    )
    assert.equal((await crictl('exec', '-s', containerId, 'hostname')).trim(), 'walker')
    assert.match(await crictl('stats', '-a', '-o', 'json', containerId), /"usageCoreNanoSeconds"/)

    await crictl('stop', '--timeout', '10', containerId)
    const stopped = await crictl('inspect', containerId)
    assert.match(stopped, /"state": "CONTAINER_EXITED"/)
    assert.match(stopped, /"exitCode": 0,/)
    await crictl('rm', containerId)
    assert.doesNotMatch(await crictl('ps', '-a', '--no-trunc'), new RegExp(containerId))
    await crictl('stopp', podId)
    assert.match(await crictl('pods', '--no-trunc', '--state', 'notready'), new RegExp(podId))
    await crictl('rmp', podId)
    assert.doesNotMatch(await crictl('pods', '--no-trunc'), new RegExp(podId))
    await crictl('rmi', registry.webServer)
    assert.equal((await crictl.attempt('inspecti', registry.webServer)).exitCode, 1)
  }),
)

test(
  'crictl run makes the pod and the container and starts it',
  { skip },
  story(async s => {
    const { scratch, registry, cri } = s
    const crictl = await createCrictl(scratch)
    const { podFile, containerFile } = await writeConfigs(scratch.dir, {
      cgroupParent: scratch.cgroupParent,
      image: registry.busybox,
    })
    const containerId = (await crictl('run', containerFile, podFile)).trim().split('\n').at(-1) ?? ''
    assert.equal((await cri.containerStatus(containerId)).state, 1)
    assert.equal(await s.exec(containerId, 'hostname'), 'walker')
    await crictl('rmp', '-f', '-a')
    assert.deepEqual(await cri.listPods(), [])
  }),
)

test(
  'crictl says what is wrong and exits with 1',
  { skip },
  story(async ({ scratch, registry }) => {
    const crictl = await createCrictl(scratch)
    const unknown = 'f'.repeat(64)
    const inspected = await crictl.attempt('inspect', unknown)
    assert.equal(inspected.exitCode, 1)
    assert.match(inspected.stderr, new RegExp(unknown))
    const pulled = await crictl.attempt('pull', `${registry.host}/e2e/nothing:here`)
    assert.equal(pulled.exitCode, 1)
    assert.match(pulled.stderr, /e2e\/nothing:here/)
  }),
)
