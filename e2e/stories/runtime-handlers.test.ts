import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { runtimeMethods as rpc } from '../../cri/grpc/methods.ts'
import { int64, type PodOverrides, podConfig } from '../harness/configs.ts'
import { fails } from '../harness/expect.ts'
import { readText } from '../harness/files.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

/** Runtimes and hooks of these tests. */
const directory = await mkdtemp(join(tmpdir(), 'lt-handlers-'))
after(() => rm(directory, { recursive: true, force: true }))
const inDirectory = (name: string): string => join(directory, name)

const config = `
runtimes:
  handlers:
    logged:
      path: ${inDirectory('logged')}
      allowedAnnotations: [example.org/*]
      hooksDir: ${inDirectory('hooks.d')}
      deviceOwnershipFromSecurityContext: true
      privilegedWithoutHostDevices: true
    missing:
      path: ${inDirectory('missing')}
`

/** A runtime that notes its calls and then is runc; a hook that writes down the state that it gets. */
async function prepare(): Promise<readonly string[]> {
  await mkdir(inDirectory('hooks.d'))
  const programs = {
    logged: `echo "$@" >> ${inDirectory('calls')}\nexec runc "$@"`,
    hook: `cat > ${inDirectory('state')}`,
  }
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(inDirectory(name), `#!/bin/sh\nPATH=$PATH:/usr/sbin:/sbin\n${text}\n`)
    await chmod(inDirectory(name), 0o755)
  }
  const hook = {
    version: '1.0.0',
    hook: { path: inDirectory('hook'), timeout: 10 },
    when: { annotations: { '^example\\.org/hooked$': '^yes$' } },
    stages: ['createRuntime'],
  }
  await writeFile(join(inDirectory('hooks.d'), 'state.json'), JSON.stringify(hook))
  return []
}

const story = useWorld({ config, prepare })

async function runPod(s: Story, handler: string, overrides: PodOverrides = {}): Promise<TestPod> {
  const pod = podConfig(s.scratch, overrides)
  return { id: await s.cri.runPod(pod, handler), config: pod }
}

test(
  'a pod keeps its handler over a restart of the daemon: it starts, updates and deletes its containers',
  story(async s => {
    await writeFile(inDirectory('calls'), '')
    const pod = await runPod(s, 'logged')
    assert.equal((await s.cri.podStatus(pod.id)).runtimeHandler, 'logged')
    const id = await s.create(pod)
    await s.daemon.kill()
    await s.daemon.start()
    assert.equal((await s.cri.podStatus(pod.id)).runtimeHandler, 'logged')
    await s.cri.startContainer(id)
    const linux = { cpuShares: int64(512) }
    await s.cri.client.call(rpc.UpdateContainerResources, { containerId: id, linux })
    await s.cri.removeContainer(id)
    const calls = (await readText(inDirectory('calls'))).split('\n').filter(call => call.includes(id))
    for (const verb of ['run', 'update', 'delete']) {
      assert.ok(
        calls.some(call => call.includes(` ${verb} `)),
        `no ${verb} in ${calls.join('; ')}`,
      )
    }
  }),
)

test(
  'annotations that the handler allows are in the OCI spec, and hooks see them',
  story(async s => {
    const pod = await runPod(s, 'logged', { annotations: { 'example.org/of-pod': 'p', 'other.org/x': 'p' } })
    const id = await s.run(pod, { annotations: { 'example.org/hooked': 'yes' } })
    const state = JSON.parse(await readText(inDirectory('state'))) as {
      readonly id: string
      readonly annotations: Readonly<Record<string, string>>
    }
    assert.equal(state.id, id)
    assert.equal(state.annotations['example.org/of-pod'], 'p')
    assert.equal(state.annotations['example.org/hooked'], 'yes')
    assert.equal(state.annotations['io.kubernetes.cri.sandbox-id'], pod.id)
    assert.equal(state.annotations['other.org/x'], undefined)
    await rm(inDirectory('state'))
    await s.run(pod, { name: 'unhooked' })
    assert.equal(await readText(inDirectory('state')), '')
  }),
)

test(
  'devices belong to the user of the container, and a privileged one has only those that it names',
  story(async s => {
    const pod = await runPod(s, 'logged', { isPrivileged: true })
    const id = await s.run(pod, {
      devices: [{ hostPath: '/dev/full', containerPath: '/dev/mine', permissions: 'rw' }],
      security: { privileged: true, runAsUser: { value: int64(1234) }, runAsGroup: { value: int64(2345) } },
    })
    assert.equal(await s.exec(id, 'stat', '-c', '%u:%g', '/dev/mine'), '1234:2345')
    const hosts = await s.run(await s.runPod({ isPrivileged: true }), { security: { privileged: true } })
    assert.equal(await s.exec(hosts, 'sh', '-c', 'test -e /dev/kmsg && echo there'), 'there')
    assert.equal(await s.exec(id, 'sh', '-c', 'test -e /dev/kmsg || echo not there'), 'not there')
  }),
)

test(
  'a handler that is not configured or cannot be used is refused before anything is made, and Status says why',
  story(async s => {
    await fails(runPod(s, 'nobody'), 'notFound', /"nobody" is not configured/)
    await fails(runPod(s, 'missing'), 'failedPrecondition', /OCI runtime ".*missing" not found/)
    assert.deepEqual(await s.cri.listPods(), [])
    const { status, runtimeHandlers } = await s.cri.client.call(rpc.Status, {})
    assert.deepEqual(
      runtimeHandlers.map(handler => [
        handler.name ?? '',
        handler.features?.recursiveReadOnlyMounts ?? false,
      ]),
      [
        ['', true],
        ['logged', true],
        ['missing', false],
        ['runc', true],
      ],
    )
    const condition = status?.conditions?.find(({ type }) => type === 'RuntimeHandlersUsable')
    assert.deepEqual([condition?.status ?? false, condition?.reason], [false, 'RuntimeHandlerUnusable'])
    assert.match(condition?.message ?? '', /missing" not found/)
    assert.equal(status?.conditions?.find(({ type }) => type === 'RuntimeReady')?.status, true)
  }),
)

test(
  'a pod whose handler was taken out of the configuration is still stopped and removed',
  story(async s => {
    const pod = await runPod(s, 'logged')
    const id = await s.run(pod)
    const file = join(s.scratch.dir, 'config.yaml')
    const text = await readText(file)
    await s.daemon.kill()
    await writeFile(file, '')
    await s.daemon.start()
    await fails(
      s.cri.createContainer(pod.id, s.container({ name: 'late' }), pod.config),
      'notFound',
      /"logged"/,
    )
    await s.cri.stopContainer(id, 0)
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
    await s.daemon.stop()
    await writeFile(file, text)
  }),
)
