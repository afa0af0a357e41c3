import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { v1 } from '#proto'
import { int64, mode, propagation } from '../harness/configs.ts'
import { fails } from '../harness/expect.ts'
import { readLogText } from '../harness/pod-log.ts'
import { mustRun } from '../harness/program.ts'
import { exited } from '../harness/states.ts'
import { useWorld } from '../harness/world.ts'

const story = useWorld()

test(
  'environment: image, then config, later wins; values need not be words',
  story(async s => {
    const id = await s.run(await s.runPod(), { env: { WORD: 'a b', EMPTY: '', UTF8: 'äöü', PATH: '/bin' } })
    assert.equal(await s.exec(id, 'sh', '-c', 'echo "$WORD|$EMPTY|$UTF8|$PATH"'), 'a b||äöü|/bin')
  }),
)

test(
  'command replaces the entry point, args the arguments, both come from the image if not given',
  story(async s => {
    const pod = await s.runPod()
    await s.cri.pull(s.registry.printer)
    const printed = async (name: string, command: string[], args: string[]) => {
      const id = await s.cri.createContainer(
        pod.id,
        { ...s.container({ name, image: s.registry.printer }), command, args },
        pod.config,
      )
      await s.cri.startContainer(id)
      await exited(s.cri, id)
      return readLogText(s.logPath(pod, name))
    }
    // The image: ENTRYPOINT ["/bin/echo", "entry"], CMD ["cmd"].
    assert.deepEqual(await printed('image', [], []), ['entry cmd'])
    assert.deepEqual(await printed('args', [], ['mine']), ['entry mine'])
    assert.deepEqual(await printed('command', ['/bin/echo', 'only'], []), ['only'])
    assert.deepEqual(await printed('both', ['/bin/echo', 'only'], ['these']), ['only these'])
  }),
)

test(
  'a working directory that is not in the image is made',
  story(async s => {
    const id = await s.run(await s.runPod(), { workingDir: '/made/for/this' })
    assert.equal(await s.exec(id, 'pwd'), '/made/for/this')
  }),
)

test(
  'bind mounts: read-write, read-only, a file, a link on the host, a missing path, nested ones in any order',
  story(async s => {
    const host = join(s.scratch.dir, 'volume')
    await mkdir(join(host, 'real'), { recursive: true })
    await writeFile(join(host, 'real', 'file'), 'from the host')
    await symlink(join(host, 'real'), join(host, 'link'))
    const mounts = [
      { containerPath: '/data/inner', hostPath: join(host, 'missing') },
      { containerPath: '/data', hostPath: join(host, 'link') },
      { containerPath: '/ro', hostPath: join(host, 'real'), readonly: true },
      { containerPath: '/etc/one-file', hostPath: join(host, 'real', 'file') },
    ]
    const id = await s.run(await s.runPod(), { mounts })
    assert.equal(
      await s.exec(id, 'cat', '/data/file', '/ro/file', '/etc/one-file'),
      'from the host'.repeat(3),
    )
    await s.exec(id, 'sh', '-c', 'echo inside > /data/new; echo deeper > /data/inner/new')
    assert.equal(await readFile(join(host, 'real', 'new'), 'utf8'), 'inside\n')
    assert.equal(await readFile(join(host, 'missing', 'new'), 'utf8'), 'deeper\n')
    const refused = await s.cri.exec(id, ['touch', '/ro/new'])
    assert.match(refused.stderr, /Read-only file system/)
    const status = await s.cri.containerStatus(id)
    assert.deepEqual(
      status.mounts?.map(({ containerPath, hostPath, readonly }) => ({ containerPath, hostPath, readonly })),
      mounts.map(mount => ({ readonly: false, ...mount })),
    )
  }),
)

for (const { name, value, seesHost, seesContainer } of [
  { name: 'private', value: propagation.PROPAGATION_PRIVATE, seesHost: false, seesContainer: false },
  {
    name: 'host to container',
    value: propagation.PROPAGATION_HOST_TO_CONTAINER,
    seesHost: true,
    seesContainer: false,
  },
  {
    name: 'bidirectional',
    value: propagation.PROPAGATION_BIDIRECTIONAL,
    seesHost: true,
    seesContainer: true,
  },
]) {
  test(
    `mount propagation ${name}`,
    story(async s => {
      const dir = join(s.scratch.dir, 'propagation')
      await mkdir(dir, { recursive: true })
      await mustRun(['mount', '-t', 'tmpfs', 'tmpfs', dir])
      try {
        await mustRun(['mount', '--make-shared', dir])
        for (const sub of ['host', 'container']) await mkdir(join(dir, sub))
        const id = await s.run(await s.runPod({ isPrivileged: true }), {
          mounts: [{ containerPath: '/mnt', hostPath: dir, propagation: value }],
          security: { privileged: true },
        })
        await mustRun(['mount', '-t', 'tmpfs', 'from-host', join(dir, 'host')])
        await s.exec(id, 'mount', '-t', 'tmpfs', 'from-container', '/mnt/container')
        const inside = await s.exec(id, 'cat', '/proc/mounts')
        const outside = await readFile('/proc/mounts', 'utf8')
        assert.equal(inside.includes('from-host'), seesHost)
        assert.equal(outside.includes('from-container'), seesContainer)
      } finally {
        await mustRun(['umount', '-R', '-l', dir])
      }
    }),
  )
}

test(
  'users: of the image, by number, by name, group, supplemental groups merged and strict',
  story(async s => {
    const pod = await s.runPod()
    const cases = [
      { name: 'root', security: {}, wanted: '0 0' },
      { name: 'number', security: { runAsUser: { value: int64(1234) } }, wanted: '1234 0' },
      {
        name: 'number-and-group',
        security: { runAsUser: { value: int64(1234) }, runAsGroup: { value: int64(4321) } },
        wanted: '1234 4321',
      },
      { name: 'name', security: { runAsUsername: 'nobody' }, wanted: '65534 65534' },
    ]
    for (const { name, security, wanted } of cases) {
      const id = await s.run(pod, { name, security })
      assert.equal(await s.exec(id, 'sh', '-c', 'echo $(id -u) $(id -g)'), wanted, name)
      const { linux } = (await s.cri.containerStatus(id)).user ?? {}
      assert.equal(`${String(linux?.uid)} ${String(linux?.gid)}`, wanted, name)
    }
    const groups = { runAsUser: { value: int64(1000) }, supplementalGroups: [int64(7777)] }
    const merged = await s.run(pod, { name: 'merge', security: groups })
    const strict = await s.run(pod, {
      name: 'strict',
      security: { ...groups, supplementalGroupsPolicy: v1.SupplementalGroupsPolicy.Strict },
    })
    const [mergedGroups, strictGroups] = [await s.exec(merged, 'id', '-G'), await s.exec(strict, 'id', '-G')]
    assert.match(mergedGroups, /\b7777\b/)
    assert.match(strictGroups, /\b7777\b/)
    assert.ok(
      mergedGroups.split(' ').length > strictGroups.split(' ').length,
      `groups of the image are merged: "${mergedGroups}", strict: "${strictGroups}"`,
    )
    await fails(
      s.create(pod, { name: 'group-only', security: { runAsGroup: { value: int64(1) } } }),
      'invalidArgument',
      /group/,
    )
    await assert.rejects(
      s.create(pod, { name: 'who', security: { runAsUsername: 'nosuchuser' } }),
      /nosuchuser/,
    )
  }),
)

const capabilityBits = { CHOWN: 0n, NET_ADMIN: 12n, SYS_ADMIN: 21n } as const

for (const { what, change, has, lacks } of [
  { what: 'default', change: {}, has: ['CHOWN'], lacks: ['NET_ADMIN', 'SYS_ADMIN'] },
  {
    what: 'added',
    change: { addCapabilities: ['NET_ADMIN'] },
    has: ['CHOWN', 'NET_ADMIN'],
    lacks: ['SYS_ADMIN'],
  },
  { what: 'dropped', change: { dropCapabilities: ['CHOWN'] }, has: [], lacks: ['CHOWN'] },
  {
    what: 'all added',
    change: { addCapabilities: ['ALL'] },
    has: ['CHOWN', 'NET_ADMIN', 'SYS_ADMIN'],
    lacks: [],
  },
  { what: 'all dropped', change: { dropCapabilities: ['ALL'] }, has: [], lacks: ['CHOWN', 'NET_ADMIN'] },
  {
    what: 'all dropped and one added',
    change: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
    has: ['NET_ADMIN'],
    lacks: ['CHOWN'],
  },
] as const) {
  test(
    `capabilities: ${what}`,
    story(async s => {
      const capabilities = {
        addCapabilities: [...('addCapabilities' in change ? change.addCapabilities : [])],
        dropCapabilities: [...('dropCapabilities' in change ? change.dropCapabilities : [])],
      }
      const id = await s.run(await s.runPod(), { security: { capabilities } })
      const status = await s.exec(id, 'cat', '/proc/1/status')
      const set = (name: string) => BigInt(`0x${new RegExp(`${name}:\\s*(\\w+)`).exec(status)?.[1] ?? '0'}`)
      const holds = (name: keyof typeof capabilityBits) => (set('CapEff') >> capabilityBits[name]) & 1n
      for (const name of has) assert.equal(holds(name), 1n, name)
      for (const name of lacks) assert.equal(holds(name), 0n, name)
      assert.equal(set('CapInh'), 0n)
      assert.equal(set('CapBnd'), set('CapEff'))
    }),
  )
}

test(
  'a privileged container sees the devices of the host and writes to /sys; its pod must be privileged',
  story(async s => {
    const id = await s.run(await s.runPod({ isPrivileged: true }), { security: { privileged: true } })
    assert.match(await s.exec(id, 'sh', '-c', 'grep " /sys " /proc/mounts'), / rw,/)
    await s.exec(id, 'test', '-e', '/dev/kmsg')
    assert.equal(await s.exec(id, 'sh', '-c', 'grep Seccomp: /proc/1/status'), 'Seccomp:\t0')
    const plain = await s.runPod()
    await assert.rejects(s.create(plain, { security: { privileged: true } }), /privileged/)
  }),
)

test(
  'a read-only root refuses writes, its mounts do not',
  story(async s => {
    const id = await s.run(await s.runPod(), { security: { readonlyRootfs: true } })
    assert.match((await s.cri.exec(id, ['touch', '/new'])).stderr, /Read-only file system/)
    await s.exec(id, 'touch', '/dev/shm/new')
  }),
)

test(
  'masked and read-only paths are exactly those given; seccomp and no_new_privs as asked',
  story(async s => {
    const pod = await s.runPod()
    const open = await s.run(pod, { name: 'open' })
    assert.equal(await s.exec(open, 'sh', '-c', 'grep Seccomp: /proc/1/status'), 'Seccomp:\t0')
    assert.notEqual(await s.exec(open, 'cat', '/proc/timer_list'), '')
    const closed = await s.run(pod, {
      name: 'closed',
      security: {
        maskedPaths: ['/proc/timer_list'],
        readonlyPaths: ['/proc/sys'],
        noNewPrivs: true,
        seccomp: { profileType: v1.SecurityProfile.ProfileType.RuntimeDefault },
      },
    })
    assert.equal(await s.exec(closed, 'cat', '/proc/timer_list'), '')
    assert.match(
      (await s.cri.exec(closed, ['sh', '-c', 'echo x > /proc/sys/kernel/domainname'])).stderr,
      /Read-only/,
    )
    const status = await s.exec(closed, 'cat', '/proc/1/status')
    assert.match(status, /Seccomp:\t2/)
    assert.match(status, /NoNewPrivs:\t1/)
  }),
)

test(
  'resource limits are set in the cgroup of the container',
  story(async s => {
    const memory = 64 * 1024 * 1024
    const id = await s.run(await s.runPod(), {
      resources: {
        memoryLimitInBytes: int64(memory),
        cpuPeriod: int64(100_000),
        cpuQuota: int64(50_000),
        cpuShares: int64(512),
        oomScoreAdj: int64(500),
      },
    })
    const limit = await s.exec(
      id,
      'sh',
      '-c',
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true',
    )
    assert.equal(limit, String(memory))
    const quota = await s.exec(
      id,
      'sh',
      '-c',
      'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null || true',
    )
    assert.match(quota, /^50000/)
    assert.equal(await s.exec(id, 'cat', '/proc/1/oom_score_adj'), '500')
  }),
)

test(
  'a container can join the PID namespace of another one of its pod',
  story(async s => {
    const pod = await s.runPod()
    const target = await s.run(pod, { name: 'target', shell: 'exec sleep 7777' })
    const debug = await s.run(pod, {
      name: 'debug',
      security: { namespaceOptions: { pid: mode.TARGET, targetId: target } },
    })
    assert.match(await s.exec(debug, 'ps'), /sleep 7777/)
  }),
)

test(
  'labels, annotations, image and log path come back as they were given',
  story(async s => {
    const pod = await s.runPod()
    const labels = { 'app.kubernetes.io/name': 'x', empty: '' }
    const annotations = { note: 'line\nbreak "quote" ä' }
    const id = await s.run(pod, { labels, annotations })
    const status = await s.cri.containerStatus(id)
    assert.deepEqual([status.labels, status.annotations], [labels, annotations])
    assert.equal(status.logPath, s.logPath(pod))
    assert.equal(status.image?.image, s.registry.busybox)
    const imageId = status.imageId ?? ''
    assert.match(imageId, /^sha256:[0-9a-f]{64}$/)
    assert.ok((await s.cri.listImages()).includes(imageId))
    assert.match(status.imageRef ?? '', /@sha256:[0-9a-f]{64}$/)
  }),
)
