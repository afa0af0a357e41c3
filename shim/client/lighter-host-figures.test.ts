import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isKind } from '#base/errors'
import { namespaceFlags } from './host.ts'
import { command, startHost, waitUntil } from './testing/host-fixture.ts'

test('the network devices of pinned namespaces are read in their order', async t => {
  const { host, ctx, directory } = await startHost(t)
  const pins: string[] = []
  for (const name of ['a', 'b']) {
    const pod = join(directory, name)
    await mkdir(pod)
    await host.createSandbox(ctx, {
      directory: pod,
      flags: namespaceFlags.network,
      sysctls: [],
      shmBytes: 0,
      pauseCgroups: [],
    })
    pins.push(join(pod, 'net'))
    await command('nsenter', [`--net=${pod}/net`, 'ip', 'link', 'add', `of-${name}`, 'type', 'bridge'])
  }
  const [a, gone, b] = await host.netDevices(ctx, [pins[0] ?? '', join(directory, 'gone'), pins[1] ?? ''])
  assert.match(a ?? '', /^ *lo: +0 /m)
  assert.match(a ?? '', /^ *of-a: +0 /m)
  assert.doesNotMatch(a ?? '', /of-b/)
  assert.equal(gone, '')
  assert.match(b ?? '', /^ *of-b: +0 /m)
  assert.deepEqual(await host.netDevices(ctx, []), [])
})

test('a pin on which nothing is mounted has no network devices', async t => {
  const { host, ctx, directory } = await startHost(t)
  const pin = join(directory, 'net')
  await writeFile(pin, '')
  assert.deepEqual(await host.netDevices(ctx, [pin]), [''])
})

test('a namespace with thousands of devices is cut at a whole line', async t => {
  const { host, ctx, directory } = await startHost(t)
  await host.createSandbox(ctx, {
    directory,
    flags: namespaceFlags.network,
    sysctls: [],
    shmBytes: 0,
    pauseCgroups: [],
  })
  const links = Array.from({ length: 900 }, (_, index) => `link add many${index} type bridge`)
  const batch = join(directory, 'batch')
  await writeFile(batch, links.join('\n'))
  await command('nsenter', [`--net=${directory}/net`, 'ip', '-batch', batch])
  const [text = ''] = await host.netDevices(ctx, [join(directory, 'net')])
  assert.ok(text.length > 60 * 1024 && text.length <= 64 * 1024, String(text.length))
  assert.match(text, /\n$/)
})

/** The kernel takes the last dead process out a moment after its parent has seen it end. */
async function rmdirWhenEmpty(path: string): Promise<void> {
  await waitUntil(`${path} is removed`, () =>
    rmdir(path).then(
      () => true,
      () => false,
    ),
  )
}

async function holder(t: TestContext, cgroup: string, script: string): Promise<ChildProcess> {
  const child = spawn('python3', [
    '-c',
    `${script}\nprint("ready", flush=True)\nimport time\ntime.sleep(1000)`,
  ])
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  await writeFile(join(cgroup, 'cgroup.procs'), String(child.pid))
  return child
}

test('open files and sockets are counted in a cgroup and below it', async t => {
  const { host, ctx } = await startHost(t)
  const base = '/sys/fs/cgroup'
  const root = await command('sh', ['-c', `[ -d ${base}/pids ] && echo ${base}/pids || echo ${base}`])
  const cgroup = join(root.trim(), `lighter-files-${process.pid}`)
  const child = join(cgroup, 'child')
  await mkdir(child, { recursive: true })
  const processes: ChildProcess[] = []
  t.after(async () => {
    for (const process of processes) {
      const exit = once(process, 'exit')
      process.kill('SIGKILL')
      await exit
    }
    for (const path of [child, cgroup]) await rmdirWhenEmpty(path)
  })
  processes.push(await holder(t, child, 'pass'))
  const [plain] = await host.openFiles(ctx, [cgroup], false)
  assert.equal(plain?.processes, 1)
  const script =
    'import socket\nheld=[socket.socketpair() for _ in range(5)]+[open("/dev/null") for _ in range(7)]'
  processes.push(await holder(t, child, script))
  const [, both, gone] = await host.openFiles(ctx, [`${cgroup}-not`, cgroup, `${cgroup}/gone`], false)
  assert.equal(both?.processes, 2)
  assert.equal(both.files, 2 * plain.files + 17)
  assert.equal(both.sockets, 2 * plain.sockets + 10)
  assert.deepEqual(gone, { processes: 0, files: 0, sockets: 0 })
  assert.deepEqual(await host.openFiles(ctx, [cgroup], true), [{ processes: 2, files: 0, sockets: 0 }])
})

test('a relative path is refused', async t => {
  const { host, ctx } = await startHost(t)
  await assert.rejects(host.netDevices(ctx, ['net']), err => isKind(err, 'internal'))
  await assert.rejects(host.openFiles(ctx, ['pids'], false), err => isKind(err, 'internal'))
})
