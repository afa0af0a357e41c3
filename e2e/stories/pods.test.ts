import assert from 'node:assert/strict'
import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import test from 'node:test'
import { mode, podConfig, podState } from '../harness/configs.ts'
import { eventually } from '../harness/eventually.ts'
import { fails } from '../harness/expect.ts'
import { readLinkText, readText } from '../harness/files.ts'
import { freePort, get } from '../harness/http.ts'
import { cgroupDirs } from '../harness/scratch.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

const story = useWorld()

const webServer = 'mkdir -p /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 80 -h /tmp/www'

async function ipOf({ cri }: Story, pod: TestPod): Promise<string> {
  return (await cri.podStatus(pod.id)).network?.ip ?? ''
}

test(
  'a web server in a pod answers at the IP of the pod',
  story(async s => {
    const pod = await s.runPod({ hostname: 'web' })
    await s.run(pod, { shell: webServer })
    const ip = await ipOf(s, pod)
    assert.ok(ip.startsWith(`${s.scratch.subnet}.`), `"${ip}" is not in ${s.scratch.subnet}.0/24`)
    assert.equal(await eventually('the pod answers', () => get(`http://${ip}/`)), 'web\n')
  }),
)

test(
  'two pods reach each other and the node',
  story(async s => {
    const [first, second] = [await s.runPod(), await s.runPod()]
    const [one, two] = [await s.run(first), await s.run(second)]
    const [firstIp, secondIp] = [await ipOf(s, first), await ipOf(s, second)]
    assert.notEqual(firstIp, secondIp)
    await s.exec(one, 'ping', '-c', '1', '-W', '5', secondIp)
    await s.exec(two, 'ping', '-c', '1', '-W', '5', firstIp)
    await s.exec(one, 'ping', '-c', '1', '-W', '5', `${s.scratch.subnet}.1`)
  }),
)

test(
  'a host port leads to the container port',
  story(async s => {
    const hostPort = await freePort()
    const pod = await s.runPod({
      hostname: 'published',
      portMappings: [{ containerPort: 80, hostPort, hostIp: '127.0.0.1' }],
    })
    await s.run(pod, { shell: webServer })
    assert.equal(
      await eventually('the host port answers', () => get(`http://127.0.0.1:${String(hostPort)}/`)),
      'published\n',
    )
    await s.cri.stopPod(pod.id)
    await assert.rejects(get(`http://127.0.0.1:${String(hostPort)}/`))
  }),
)

test(
  'a port mapping without host port publishes nothing',
  story(async s => {
    const pod = await s.runPod({ portMappings: [{ containerPort: 80 }] })
    await s.run(pod, { shell: webServer })
    const ip = await ipOf(s, pod)
    await eventually('the pod answers', () => get(`http://${ip}/`))
  }),
)

for (const { what, file, namespaces } of [
  { what: 'network', file: 'net', namespaces: { network: mode.NODE } },
  { what: 'PID', file: 'pid', namespaces: { pid: mode.NODE } },
  { what: 'IPC', file: 'ipc', namespaces: { ipc: mode.NODE } },
]) {
  test(
    `${what} namespace NODE is the host's, and only that one`,
    story(async s => {
      const pod = await s.runPod({ namespaces: { pid: mode.CONTAINER, ...namespaces } })
      const id = await s.run(pod, { security: { namespaceOptions: { pid: mode.CONTAINER, ...namespaces } } })
      for (const namespace of ['net', 'pid', 'ipc', 'mnt']) {
        const inside = await s.exec(id, 'readlink', `/proc/self/ns/${namespace}`)
        const host = await readLinkText(`/proc/self/ns/${namespace}`)
        assert.equal(inside === host, namespace === file, `${namespace}: ${inside}, host ${host}`)
      }
      const status = await s.cri.podStatus(pod.id)
      assert.deepEqual(
        {
          network: status.linux?.namespaces?.options?.network ?? 0,
          pid: status.linux?.namespaces?.options?.pid ?? 0,
          ipc: status.linux?.namespaces?.options?.ipc ?? 0,
        },
        Object.assign({ network: mode.POD, pid: mode.CONTAINER, ipc: mode.POD }, namespaces),
      )
    }),
  )
}

test(
  'a pod in the network of the host has its name, no address of its own, and no CNI attachment',
  story(async s => {
    const namespaces = { network: mode.NODE, pid: mode.CONTAINER }
    const pod = await s.runPod({ namespaces })
    const id = await s.run(pod, { security: { namespaceOptions: namespaces } })
    assert.equal(await s.exec(id, 'hostname'), hostname())
    assert.equal(await ipOf(s, pod), '')
    assert.equal(
      await s.exec(id, 'cat', '/etc/hosts'),
      (await readFile('/etc/hosts', 'utf8')).replace(/\n$/, ''),
    )
  }),
)

test(
  'containers that share the PID namespace of the pod see each other below lighter-pause',
  story(async s => {
    const namespaces = { pid: mode.POD }
    const pod = await s.runPod({ namespaces })
    const security = { namespaceOptions: namespaces }
    const first = await s.run(pod, { name: 'first', shell: 'exec sleep 7777', security })
    const second = await s.run(pod, { name: 'second', shell: 'exec sleep 8888', security })
    assert.equal(await s.exec(first, 'cat', '/proc/1/comm'), 'lighter-pause')
    assert.match(await s.exec(first, 'ps'), /sleep 8888/)
    assert.match(await s.exec(second, 'ps'), /sleep 7777/)
    await s.cri.stopContainer(first, 0)
    assert.equal((await s.cri.containerStatus(second)).state, 1, 'the other container runs on')
    assert.doesNotMatch(await s.exec(second, 'ps'), /sleep 7777/)
  }),
)

test(
  'stopping a container in a shared PID namespace also kills what it left in the background',
  story(async s => {
    const security = { namespaceOptions: { pid: mode.POD } }
    const pod = await s.runPod({ namespaces: { pid: mode.POD } })
    const first = await s.run(pod, {
      name: 'first',
      shell: 'setsid sleep 6666 </dev/null >/dev/null 2>&1 & exec sleep 7777',
      security,
    })
    const second = await s.run(pod, { name: 'second', security })
    await eventually('the background process is there', async () =>
      (await s.exec(second, 'ps')).includes('sleep 6666'),
    )
    await s.cri.stopContainer(first, 0)
    assert.doesNotMatch(await s.exec(second, 'ps'), /sleep 6666/)
  }),
)

test(
  'DNS settings, host name and hosts file reach every container',
  story(async s => {
    const pod = await s.runPod({
      hostname: 'named',
      dnsConfig: {
        servers: ['10.1.2.3', '10.1.2.4'],
        searches: ['a.example', 'b.example'],
        options: ['ndots:5'],
      },
    })
    const id = await s.run(pod)
    const resolv = (await s.exec(id, 'cat', '/etc/resolv.conf')).split('\n')
    assert.deepEqual(resolv.sort(), [
      'nameserver 10.1.2.3',
      'nameserver 10.1.2.4',
      'options ndots:5',
      'search a.example b.example',
    ])
    assert.equal(await s.exec(id, 'hostname'), 'named')
    assert.equal(await s.exec(id, 'cat', '/etc/hostname'), 'named')
    assert.match(await s.exec(id, 'cat', '/etc/hosts'), new RegExp(`${await ipOf(s, pod)}\\s+named`))
  }),
)

test(
  'sysctls of the pod are set in its namespaces; those of the node are refused',
  story(async s => {
    const before = await readText('/proc/sys/kernel/shm_rmid_forced')
    const pod = await s.runPod({
      sysctls: { 'kernel.shm_rmid_forced': '1', 'net/ipv4/ip_local_port_range': '2000 3000' },
    })
    const id = await s.run(pod)
    assert.equal(await s.exec(id, 'cat', '/proc/sys/kernel/shm_rmid_forced'), '1')
    assert.equal(await s.exec(id, 'cat', '/proc/sys/net/ipv4/ip_local_port_range'), '2000\t3000')
    assert.equal(await readText('/proc/sys/kernel/shm_rmid_forced'), before)
    await fails(s.runPod({ sysctls: { 'vm.swappiness': '1' } }), 'invalidArgument', /vm\.swappiness/)
    await fails(
      s.runPod({ sysctls: { 'net.core.somaxconn': '99' }, namespaces: { network: mode.NODE } }),
      'invalidArgument',
      /net\.core\.somaxconn/,
    )
  }),
)

test(
  'containers of a pod share /dev/shm, and nobody else has it',
  story(async s => {
    const pod = await s.runPod()
    const [first, second] = [await s.run(pod, { name: 'first' }), await s.run(pod, { name: 'second' })]
    await s.exec(first, 'sh', '-c', 'echo shared > /dev/shm/word')
    assert.equal(await s.exec(second, 'cat', '/dev/shm/word'), 'shared')
    const other = await s.run(await s.runPod())
    assert.equal(await s.exec(other, 'ls', '/dev/shm'), '')
    assert.match(await s.exec(first, 'grep', ' /dev/shm ', '/proc/mounts'), /tmpfs .*size=65536k/)
  }),
)

test(
  "containers live below the pod's cgroup parent in every hierarchy",
  story(async s => {
    const parent = `${s.scratch.cgroupParent}/pod-1`
    const dirs = await cgroupDirs(parent)
    for (const dir of dirs) await mkdir(dir)
    const config = { ...podConfig(s.scratch), linux: { cgroupParent: parent } }
    const pod = { id: await s.cri.runPod(config), config }
    const container = await s.run(pod)
    const inside = await s.exec(container, 'cat', '/proc/self/cgroup')
    const paths = inside.split('\n').map(line => line.split(':')[2] ?? '')
    assert.deepEqual([...new Set(paths)], [`${parent}/${container}`])
    await s.cri.removePod(pod.id)
    for (const dir of dirs) await rmdir(dir) // fails if anything is still below it
  }),
)

test(
  'a stopped pod is not ready, keeps its record, and can be stopped and removed again',
  story(async s => {
    const pod = await s.runPod({ labels: { a: 'b' }, annotations: { 'x/y': 'ä "quoted"\n' } })
    const id = await s.run(pod)
    await s.cri.stopPod(pod.id)
    const status = await s.cri.podStatus(pod.id)
    assert.equal(status.state, podState.SANDBOX_NOTREADY)
    assert.deepEqual(status.labels, { a: 'b' })
    assert.deepEqual(status.annotations, { 'x/y': 'ä "quoted"\n' })
    assert.equal((await s.cri.containerStatus(id)).state, 2)
    await s.cri.stopPod(pod.id)
    await fails(s.create(pod, { name: 'late' }), 'failedPrecondition', new RegExp(pod.id.slice(0, 12)))
    await s.cri.removePod(pod.id)
    await s.cri.removePod(pod.id)
    await s.cri.stopPod(pod.id)
    await fails(s.cri.podStatus(pod.id), 'notFound', new RegExp(pod.id))
    await fails(s.cri.containerStatus(id), 'notFound', new RegExp(id))
  }),
)

test(
  'a name is taken until its pod is removed; two identical requests at once make one pod',
  story(async s => {
    const config = podConfig(s.scratch, { name: 'twin' })
    const [first, second] = await Promise.all([s.cri.runPod(config), s.cri.runPod(config)])
    assert.equal(first, second)
    await fails(s.cri.runPod(config), 'alreadyExists', /twin/)
    await s.cri.removePod(first)
    assert.notEqual(await s.cri.runPod(config), first)
  }),
)
