import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { v1 } from '#proto'
import {
  type ContainerOverrides,
  int64,
  mode,
  type NamespaceOptions,
  podState,
  propagation,
} from '../harness/configs.ts'
import { fails } from '../harness/expect.ts'
import { readLogText } from '../harness/pod-log.ts'
import { mustRun } from '../harness/program.ts'
import { reboot } from '../harness/reboot.ts'
import { exited } from '../harness/states.ts'
import { type Story, type TestPod, useWorld } from '../harness/world.ts'

const story = useWorld()

const hostRoot = 300_000
const mapping = { containerId: 0, hostId: hostRoot, length: 65_536 }
const mapped = { uidMappings: [mapping], gidMappings: [mapping] }

function withUser(others: NamespaceOptions = {}): NamespaceOptions {
  const usernsOptions = { mode: mode.POD, uids: [mapping], gids: [mapping] }
  return { pid: mode.CONTAINER, usernsOptions, ...others }
}

async function userPod(s: Story, others: NamespaceOptions = {}): Promise<TestPod> {
  return s.runPod({ namespaces: withUser(others) })
}

/** A running container in a pod with a user namespace. */
async function runInside(s: Story, pod: TestPod, overrides: ContainerOverrides = {}): Promise<string> {
  const { namespaceOptions } = pod.config.linux?.securityContext ?? {}
  const security = { ...(namespaceOptions ? { namespaceOptions } : {}), ...overrides.security }
  return s.run(pod, { ...overrides, security })
}

test(
  'root of a pod with a user namespace is somebody else on the host, and its root file system is its own',
  story(async s => {
    const id = await runInside(s, await userPod(s))
    assert.match(await s.exec(id, 'cat', '/proc/self/uid_map'), /^\s*0\s+300000\s+65536$/)
    assert.match(await s.exec(id, 'cat', '/proc/self/gid_map'), /^\s*0\s+300000\s+65536$/)
    assert.equal(await s.exec(id, 'stat', '-c', '%u %g', '/', '/bin/sh', '/etc/passwd'), '0 0\n0 0\n0 0')
    await s.exec(id, 'sh', '-c', 'echo mine > /new && chown 1000:1000 /new && echo more >> /etc/passwd')
    assert.equal(await s.exec(id, 'stat', '-c', '%u %g', '/new', '/etc/passwd'), '1000 1000\n0 0')
    const { uid, gid } = await stat(join(s.scratch.rootDir, 'rootfs', id, 'upper', 'new'))
    assert.deepEqual({ uid, gid }, { uid: hostRoot + 1000, gid: hostRoot + 1000 })
    const [namespace, nobody] = ['/proc/self/ns/user', '/proc/1/root']
    assert.notEqual(await s.exec(id, 'readlink', namespace), (await mustRun(['readlink', namespace])).trim())
    assert.equal(await s.exec(id, 'stat', '-c', '%u', nobody), '0')
  }),
)

test(
  'in a user namespace the network, the sysctls, the shared memory and the files of the pod are its root’s',
  story(async s => {
    const pod = await s.runPod({
      namespaces: withUser(),
      sysctls: {
        'net.ipv4.ip_unprivileged_port_start': '99',
        'kernel.shmmax': '123456',
        'fs.mqueue.msg_max': '7',
      },
    })
    const id = await runInside(s, pod, { security: { capabilities: { addCapabilities: ['NET_ADMIN'] } } })
    assert.equal(
      await s.exec(
        id,
        'cat',
        '/proc/sys/net/ipv4/ip_unprivileged_port_start',
        '/proc/sys/kernel/shmmax',
        '/proc/sys/fs/mqueue/msg_max',
      ),
      '99\n123456\n7',
    )
    assert.equal(await s.exec(id, 'hostname'), pod.config.hostname)
    await s.exec(id, 'ip', 'link', 'add', 'own', 'type', 'bridge')
    await s.exec(id, 'ls', '/sys/class/net/own')
    await s.exec(id, 'sh', '-c', 'echo x > /dev/shm/x && echo "10.1.1.1 there" >> /etc/hosts')
    const files = ['/dev/shm', '/dev/shm/x', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']
    assert.equal(await s.exec(id, 'stat', '-c', '%u:%g', ...files), files.map(() => '0:0').join('\n'))
    assert.match(await s.exec(id, 'ip', '-o', 'addr', 'show', 'eth0'), new RegExp(s.scratch.subnet))
    await s.exec(id, 'ping', '-c', '1', '-W', '3', `${s.scratch.subnet}.1`)
  }),
)

test(
  'containers of a pod share its user namespace, and its PID namespace if they share that; TARGET joins one, too',
  story(async s => {
    const pod = await userPod(s, { pid: mode.POD })
    const one = await runInside(s, pod, { name: 'one' })
    const two = await runInside(s, pod, { name: 'two' })
    assert.equal(
      await s.exec(one, 'readlink', '/proc/self/ns/user'),
      await s.exec(two, 'readlink', '/proc/self/ns/user'),
    )
    assert.match(await s.exec(one, 'cat', '/proc/1/comm'), /lighter-pause/)
    const own = await userPod(s)
    const target = await runInside(s, own, { name: 'target', shell: 'exec sleep 1000' })
    const namespaceOptions = withUser({ pid: mode.TARGET, targetId: target })
    const debug = await runInside(s, own, { name: 'debug', security: { namespaceOptions } })
    assert.match(await s.exec(debug, 'cat', '/proc/1/cmdline'), /^sleep/)
  }),
)

test(
  'a user can reopen its standard output, and a log is written, as without a user namespace',
  story(async s => {
    const pod = await userPod(s)
    for (const user of [0, 1000]) {
      const name = `user-${String(user)}`
      const id = await runInside(s, pod, {
        name,
        shell: 'echo one; echo two > /dev/stdout; echo three > /proc/self/fd/1',
        security: { runAsUser: { value: int64(user) } },
      })
      assert.equal((await exited(s.cri, id)).exitCode, 0, name)
      assert.deepEqual([...(await readLogText(s.logPath(pod, name)))].sort(), ['one', 'three', 'two'])
      const exec = await runInside(s, pod, {
        name: `${name}-exec`,
        security: { runAsUser: { value: int64(user) } },
      })
      assert.equal(await s.exec(exec, 'sh', '-c', 'echo again > /dev/stdout'), 'again')
    }
  }),
)

test(
  'what the kubelet asks for by default holds in a user namespace: limits, masks, seccomp, a terminal',
  story(async s => {
    const pod = await userPod(s)
    const id = await runInside(s, pod, {
      devices: [
        { containerPath: '/dev/renamed', hostPath: '/dev/zero', permissions: 'r' },
        { containerPath: '/dev/full', hostPath: '/dev/full', permissions: 'rw' },
      ],
      tty: true,
      stdin: true,
      resources: { oomScoreAdj: int64(500), memoryLimitInBytes: int64(64 << 20), cpuShares: int64(100) },
      security: {
        capabilities: { dropCapabilities: ['ALL'] },
        readonlyRootfs: true,
        noNewPrivs: true,
        maskedPaths: ['/proc/kcore', '/proc/keys', '/sys/firmware'],
        readonlyPaths: ['/proc/sys', '/proc/sysrq-trigger'],
        seccomp: { profileType: v1.SecurityProfile.ProfileType.RuntimeDefault },
        runAsUser: { value: int64(1000) },
        runAsGroup: { value: int64(1000) },
        supplementalGroups: [int64(2000)],
      },
    })
    assert.equal(await s.exec(id, 'cat', '/proc/1/oom_score_adj'), '500')
    assert.match(await s.exec(id, 'id', '-G'), /^1000 .*\b2000$/)
    assert.match(
      await s.exec(id, 'cat', '/proc/1/status'),
      /^CapBnd:\s0+$[^]*^NoNewPrivs:\s1$[^]*^Seccomp:\s2$/m,
    )
    assert.match((await s.cri.exec(id, ['touch', '/new'])).stderr, /Read-only file system/)
    assert.equal(await s.exec(id, 'cat', '/proc/keys'), '')
    assert.match(await s.exec(id, 'cat', '/proc/mounts'), /proc \/proc\/sys proc ro/)
    assert.match(await s.exec(id, 'readlink', '/proc/1/fd/0'), /^\/dev\/pts\/0$/)
    assert.equal(await s.exec(id, 'stat', '-c', '%u', '/dev/pts/0', '/dev/null'), '1000\n65534')
    assert.equal(await s.exec(id, 'stat', '-c', '%t:%T', '/dev/renamed', '/dev/full'), '1:5\n1:7')
    await s.exec(id, 'head', '-c', '4', '/dev/renamed')
    await s.exec(id, 'sh', '-c', 'echo x > /dev/null && head -c 4 /dev/urandom > /dev/null')
  }),
)

test(
  'volumes with id mappings show and take the ids of the pod; flags hold; submounts as asked',
  story(async s => {
    const dir = join(s.scratch.dir, 'idmapped')
    await mkdir(join(dir, 'tmpfs'), { recursive: true })
    await mkdir(join(dir, 'plain'))
    await writeFile(join(dir, 'file'), 'text')
    await mustRun([
      'mount',
      '-t',
      'tmpfs',
      '-o',
      'nosuid,nodev,noatime,mode=755',
      'tmpfs',
      join(dir, 'tmpfs'),
    ])
    try {
      const id = await runInside(s, await userPod(s), {
        mounts: [
          { containerPath: '/rw', hostPath: join(dir, 'plain'), ...mapped },
          { containerPath: '/ro', hostPath: join(dir, 'tmpfs'), readonly: true, ...mapped },
          { containerPath: '/ro-all', hostPath: dir, readonly: true, recursiveReadOnly: true, ...mapped },
          { containerPath: '/ro-top', hostPath: dir, readonly: true, ...mapped },
          { containerPath: '/file', hostPath: join(dir, 'file'), ...mapped },
          {
            containerPath: '/noexec',
            hostPath: join(dir, 'plain'),
            mountOptions: ['noexec', 'nosuid'],
            ...mapped,
          },
          { containerPath: '/unmapped', hostPath: dir, readonly: true },
        ],
      })
      await s.exec(id, 'sh', '-c', 'echo x > /rw/new; cp /bin/busybox /rw/busybox; echo y >> /file')
      const { uid } = await stat(join(dir, 'plain', 'new'))
      assert.equal(uid, 0)
      assert.equal(
        await s.exec(id, 'stat', '-c', '%u', '/rw', '/rw/new', '/file', '/ro', '/ro-all'),
        '0\n0\n0\n0\n0',
      )
      assert.equal(await s.exec(id, 'stat', '-c', '%u', '/unmapped'), '65534')
      for (const path of ['/ro/x', '/ro-all/x', '/ro-all/tmpfs/x', '/ro-top/x', '/unmapped/x']) {
        assert.match((await s.cri.exec(id, ['touch', path])).stderr, /Read-only file system/, path)
      }
      // Not read-only, and not mapped either: the files of a mount below belong to nobody.
      assert.match((await s.cri.exec(id, ['touch', '/ro-top/tmpfs/x'])).stderr, /Permission denied/)
      assert.match((await s.cri.exec(id, ['sh', '-c', '/noexec/busybox true'])).stderr, /permission denied/i)
      await s.exec(id, '/rw/busybox', 'true')
      assert.match(await s.exec(id, 'cat', '/proc/mounts'), /\/noexec .*nosuid.*noexec/)
    } finally {
      await mustRun(['umount', join(dir, 'tmpfs')])
    }
  }),
)

test(
  'what is mounted on the host later appears in an idmapped volume; what is unmounted with the container stays',
  story(async s => {
    const dir = join(s.scratch.dir, 'slave')
    await mkdir(dir)
    await mustRun(['mount', '-t', 'tmpfs', 'tmpfs', dir])
    try {
      await mustRun(['mount', '--make-shared', dir])
      await mkdir(join(dir, 'later'))
      const pod = await userPod(s)
      const volume = { containerPath: '/mnt', hostPath: dir, ...mapped }
      const id = await runInside(s, pod, {
        mounts: [{ ...volume, propagation: propagation.PROPAGATION_HOST_TO_CONTAINER }],
      })
      await mustRun(['mount', '-t', 'tmpfs', 'from-host', join(dir, 'later')])
      assert.match(await s.exec(id, 'cat', '/proc/mounts'), /from-host \/mnt\/later/)
      await s.cri.removeContainer(id)
      assert.match(await readFile('/proc/mounts', 'utf8'), new RegExp(`from-host ${dir}/later`))
      await fails(
        s.create(pod, { mounts: [{ ...volume, propagation: propagation.PROPAGATION_BIDIRECTIONAL }] }),
        'invalidArgument',
        /user namespace/,
      )
    } finally {
      await mustRun(['umount', '-R', '-l', dir])
    }
  }),
)

test(
  'a pod in the host’s network can have a user namespace',
  story(async s => {
    const id = await runInside(s, await userPod(s, { network: mode.NODE }))
    assert.match(await s.exec(id, 'cat', '/proc/self/uid_map'), /300000/)
    assert.equal(await s.exec(id, 'ls', '/sys/class/net'), (await mustRun(['ls', '/sys/class/net'])).trim())
    assert.notEqual((await s.cri.exec(id, ['hostname', 'taken'])).exitCode, 0)
  }),
)

test(
  'a privileged container in a user namespace has all of its privileges inside and none outside',
  story(async s => {
    const pod = await s.runPod({ namespaces: withUser(), isPrivileged: true })
    const id = await runInside(s, pod, { security: { privileged: true } })
    await s.exec(id, 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp')
    assert.notEqual((await s.cri.exec(id, ['mknod', '/disk', 'b', '254', '0'])).exitCode, 0)
    assert.notEqual((await s.cri.exec(id, ['sh', '-c', 'echo 1 > /proc/sys/vm/drop_caches'])).exitCode, 0)
  }),
)

for (const { what, options, message } of [
  {
    what: 'two mappings',
    options: { uids: [mapping, { ...mapping, containerId: 70_000 }] },
    message: /exactly one/,
  },
  { what: 'no mapping', options: { gids: [] }, message: /exactly one/ },
  {
    what: 'a mapping without id 0',
    options: { uids: [{ ...mapping, containerId: 1 }] },
    message: /container id 0/,
  },
  { what: 'an empty mapping', options: { uids: [{ ...mapping, length: 0 }] }, message: /length is 0/ },
  {
    what: 'ids that do not exist',
    options: { uids: [{ ...mapping, length: 4_294_967_295 }] },
    message: /id mapping/,
  },
  { what: 'mode CONTAINER', options: { mode: mode.CONTAINER }, message: /POD or NODE/ },
  { what: 'mode TARGET', options: { mode: mode.TARGET }, message: /POD or NODE/ },
]) {
  test(
    `a user namespace of ${what} is refused and leaves nothing`,
    story(async s => {
      const usernsOptions = { ...withUser().usernsOptions, ...options }
      await fails(s.runPod({ namespaces: { usernsOptions } }), 'invalidArgument', message)
    }),
  )
}

test(
  'what does not go together with a user namespace is refused',
  story(async s => {
    for (const others of [{ pid: mode.NODE }, { ipc: mode.NODE }]) {
      await fails(userPod(s, others), 'invalidArgument', /user namespace/)
    }
    const pod = await userPod(s)
    const other = { mode: mode.POD, uids: [{ ...mapping, hostId: 1 }], gids: [mapping] }
    for (const usernsOptions of [other, { mode: mode.NODE }]) {
      const security = { namespaceOptions: { pid: mode.CONTAINER, usernsOptions } }
      await fails(s.create(pod, { security }), 'invalidArgument', /another user namespace/)
    }
    const half = { containerPath: '/x', hostPath: s.scratch.dir, uidMappings: [mapping] }
    await fails(s.create(pod, { mounts: [half] }), 'invalidArgument', /together/)
    const proc = { containerPath: '/x', hostPath: '/proc', ...mapped }
    await fails(s.create(pod, { mounts: [proc] }), 'failedPrecondition', /map the ids/)
  }),
)

test(
  'a container that does not say has the user namespace of its pod, NODE and nothing are none',
  story(async s => {
    const silent = await s.run(await userPod(s), { security: { namespaceOptions: { pid: mode.CONTAINER } } })
    assert.match(await s.exec(silent, 'cat', '/proc/self/uid_map'), /300000/)
    const namespaces = { pid: mode.CONTAINER, usernsOptions: { mode: mode.NODE } }
    const none = await s.run(await s.runPod({ namespaces }), { security: { namespaceOptions: namespaces } })
    assert.equal(
      await s.exec(none, 'readlink', '/proc/self/ns/user'),
      (await mustRun(['readlink', '/proc/self/ns/user'])).trim(),
    )
  }),
)

test(
  'after a kill of the daemon such a pod goes on, after a reboot it is taken down without a trace',
  story(async s => {
    const pod = await userPod(s, { pid: mode.POD })
    const dir = join(s.scratch.dir, 'volume-for-life')
    await mkdir(dir)
    const id = await runInside(s, pod, { mounts: [{ containerPath: '/v', hostPath: dir, ...mapped }] })
    await s.daemon.kill()
    await s.daemon.start()
    assert.equal(await s.exec(id, 'stat', '-c', '%u', '/v'), '0')
    const more = await runInside(s, pod, { name: 'more' })
    assert.match(await s.exec(more, 'cat', '/proc/self/uid_map'), /300000/)
    await s.daemon.kill()
    await reboot.all(s.scratch)
    await s.daemon.start()
    const { state } = await s.cri.podStatus(pod.id)
    assert.equal(state, podState.SANDBOX_NOTREADY)
    await s.cri.stopPod(pod.id)
    await s.cri.removePod(pod.id)
  }),
)

/** Milliseconds into making a pod and a container with everything that is mounted for it. */
const killTimes = [0, 15, 30, 45, 60, 80, 100, 130, 160, 200]

test(
  'kill -9 while such a pod and its container are made: nothing is left over',
  story(async s => {
    const dir = join(s.scratch.dir, 'volume-for-kills')
    await mkdir(dir)
    const mounts = [
      { containerPath: '/v', hostPath: dir, readonly: true, ...mapped },
      { containerPath: '/image', image: { image: s.registry.busybox }, imageSubPath: 'bin', readonly: true },
    ]
    for (const killTime of killTimes) {
      const made = userPod(s, { pid: mode.POD }).then(pod => runInside(s, pod, { mounts }))
      const settled = made.catch(() => undefined)
      await delay(killTime)
      await s.daemon.kill()
      await settled
      await s.daemon.start()
      for (const podId of await s.cri.listPods()) {
        await s.cri.stopPod(podId)
        await s.cri.removePod(podId)
      }
      await s.auditor.assertNothingLeft()
    }
  }),
)
