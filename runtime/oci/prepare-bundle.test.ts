import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { isKind } from '#base/errors'
import { pathExists } from '#base/files'
import { writeExecProcess } from './process-spec.ts'
import { createTestPod, type TestPod } from './testing/run-container.ts'
import { sampleMount, sampleNamespaces, sampleResources } from './testing/samples.ts'

const exec = promisify(execFile)

describe('a bundle that runc runs', () => {
  let pod: TestPod
  before(async () => {
    pod = await createTestPod()
  })
  after(() => pod.remove())

  const lines = async (script: string, change: Parameters<TestPod['run']>[0] = {}): Promise<string[]> => {
    const result = await pod.run({ ...change, command: ['sh', '-c', script] })
    assert.equal(result.exitCode, 0, result.stderr)
    return result.stdout.trimEnd().split('\n')
  }

  it('has the mounts, files and environment that every container has', async () => {
    const found = await lines(
      'cat /etc/hosts /etc/hostname /etc/resolv.conf; hostname; env | grep -E "^(PATH|HOSTNAME|HOME|A)=";' +
        'grep -E " /(proc|dev|dev/pts|dev/shm|dev/mqueue|sys|sys/fs/cgroup) " /proc/self/mountinfo | while read a b c d e f; do echo "$e ${f%% *}"; done',
      { config: { envs: [{ key: 'A', value: '1 = one' }] } },
    )
    assert.deepEqual(found.slice(0, 4), ['10.1.2.3 shop', 'shop', 'nameserver 10.0.0.10', 'shop'])
    assert.deepEqual(found.filter(line => /^[A-Z]+=/.test(line)).sort(), [
      'A=1 = one',
      'HOME=/root',
      'HOSTNAME=shop',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ])
    const mounts = new Map(
      found
        .slice(4)
        .filter(line => line.startsWith('/'))
        .map(line => line.split(' ') as [string, string]),
    )
    assert.deepEqual([...mounts.keys()].sort(), [
      '/dev',
      '/dev/mqueue',
      '/dev/pts',
      '/dev/shm',
      '/proc',
      '/sys',
      '/sys/fs/cgroup',
    ])
    assert.match(mounts.get('/sys') ?? '', /^ro,/)
    const [writable] = await lines('grep -E " - cgroup2? " /proc/self/mountinfo | grep -vc " ro,"; true')
    assert.equal(writable, '0')
  })

  it('has the default capabilities of the daemon, without inheritable ones', async () => {
    const [inheritable, effective, bounding] = await lines('grep -E "Cap(Inh|Eff|Bnd)" /proc/self/status')
    assert.match(inheritable ?? '', /0{16}$/)
    assert.match(effective ?? '', /00000000a80425fb$/)
    assert.match(bounding ?? '', /00000000a80425fb$/)
  })

  it('has no capability when ALL are dropped, and the one that is added after that', async () => {
    const capabilities = { add: ['net_admin'], drop: ['ALL'], addAmbient: [] }
    const [effective] = await lines('grep CapEff /proc/self/status', { security: { capabilities } })
    assert.match(effective ?? '', /0000000000001000$/)
  })

  it('keeps ambient capabilities across the exec of a user', async () => {
    const capabilities = { add: [], drop: ['ALL'], addAmbient: ['CAP_NET_BIND_SERVICE'] }
    const found = await lines('grep -E "Cap(Eff|Amb)" /proc/self/status', {
      security: { capabilities, runAsUser: 1000 },
    })
    for (const line of found) assert.match(line, /0000000000000400$/)
  })

  it('is all but unconfined when privileged', async () => {
    const own = /^CapBnd:\s*(\S+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? ''
    const found = await lines(
      'grep -E "Cap(Eff)|Seccomp:" /proc/self/status; ls /dev/kmsg; touch /proc/sys/kernel/hostname;' +
        'grep " /sys[ /]" /proc/self/mountinfo | grep -c " ro,"; ls /proc/acpi >/dev/null 2>&1; echo end',
      {
        pod: { isPrivileged: true },
        security: {
          isPrivileged: true,
          seccomp: { type: 'runtime-default' },
          maskedPaths: ['/proc/acpi'],
          readonlyPaths: ['/proc/sys'],
        },
      },
    )
    assert.deepEqual(found, [`CapEff:\t${own}`, 'Seccomp:\t0', '/dev/kmsg', '0', 'end'])
  })

  it('refuses to be privileged in a pod that is not', async () => {
    await assert.rejects(pod.run({ security: { isPrivileged: true } }), err =>
      isKind(err, 'invalid-argument'),
    )
  })

  it('cannot write to a read-only root, but to what the runtime mounts', async () => {
    const found = await lines('touch /x 2>/dev/null || echo refused; touch /dev/shm/x && ls /dev/shm', {
      security: { isRootReadOnly: true },
    })
    assert.deepEqual(found, ['refused', 'x'])
  })

  for (const { policy, groups } of [
    { policy: 'merge', groups: [1000, 2000, 3000, 4000] },
    { policy: 'strict', groups: [1000, 4000] },
  ] as const) {
    it(`runs as a user of the image with its groups (${policy})`, async () => {
      const result = await pod.run({
        command: ['id'],
        security: { runAsUsername: 'maat', supplementalGroups: [4000], supplementalGroupsPolicy: policy },
      })
      const listed = /groups=(.*)$/m
        .exec(result.stdout)?.[1]
        ?.split(',')
        .map(group => Number.parseInt(group, 10))
      assert.match(result.stdout, /^uid=1000\S* gid=1000/)
      assert.deepEqual(listed, groups)
      assert.deepEqual(result.bundle.user, { uid: 1000, gid: 1000, supplementalGroups: groups })
    })
  }

  it('hides masked paths and protects read-only paths', async () => {
    const found = await lines(
      'cat /proc/keys | grep -c .; touch /proc/sys/kernel/hostname 2>/dev/null; echo $?',
      {
        security: { maskedPaths: ['/proc/keys'], readonlyPaths: ['/proc/sys'] },
      },
    )
    assert.deepEqual(found, ['0', '1'])
  })

  it('has its memory limit in its cgroup, and that cgroup where the bundle says', async () => {
    const limit = 32 * 1024 * 1024
    const found = await lines(
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max; grep memory /proc/self/cgroup',
      {
        config: { resources: { ...sampleResources, memoryLimitBytes: limit, oomScoreAdj: -998 } },
        prepared: bundle => {
          assert.match(
            bundle.oomPath ?? '',
            /\/lighter-oci-test-\d+\/[0-9a-f]{64}\/memory\.(oom_control|events)$/,
          )
        },
      },
    )
    assert.equal(found[0], String(limit))
    assert.match(found.at(-1) ?? '', /\/lighter-oci-test-\d+\/[0-9a-f]{64}$/)
  })

  it('is filtered by seccomp only when a profile was asked for', async () => {
    assert.deepEqual(await lines('grep Seccomp: /proc/self/status'), ['Seccomp:\t0'])
    const found = await lines(
      'grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp 2>/dev/null || echo denied',
      {
        security: {
          seccomp: { type: 'runtime-default' },
          capabilities: { add: [], drop: [], addAmbient: [] },
        },
      },
    )
    assert.deepEqual(found, ['Seccomp:\t2', 'denied'])
  })

  it('may mount under the default profile when it has SYS_ADMIN', async () => {
    const found = await lines('mount -t tmpfs x /tmp && echo mounted', {
      security: {
        seccomp: { type: 'runtime-default' },
        capabilities: { add: ['SYS_ADMIN'], drop: [], addAmbient: [] },
      },
    })
    assert.deepEqual(found, ['mounted'])
  })

  for (const hasNoNewPrivileges of [true, false]) {
    it(`${hasNoNewPrivileges ? 'forbids' : 'allows'} to gain privileges as it was asked to`, async () => {
      const found = await lines('grep NoNewPrivs: /proc/self/status', { security: { hasNoNewPrivileges } })
      assert.deepEqual(found, [`NoNewPrivs:\t${hasNoNewPrivileges ? 1 : 0}`])
    })
  }

  it('executes commands as the same user, with the same rights and environment', async () => {
    const { id, runtimeRoot } = await pod.start({
      command: ['cat', '/dev/zero'],
      config: { envs: [{ key: 'A', value: 'b' }], workingDir: '/data' },
      security: {
        runAsUser: 1000,
        capabilities: { add: [], drop: ['ALL'], addAmbient: ['CAP_KILL'] },
        seccomp: { type: 'runtime-default' },
      },
    })
    const path = join(pod.directory, 'exec.json')
    const command = ['sh', '-c', 'id -u; id -G; pwd; echo $A; grep -E "CapEff|Seccomp:" /proc/self/status']
    await writeExecProcess({ bundlePath: join(pod.directory, id), path, command, hasTty: false })
    const { stdout } = await exec('runc', ['--root', runtimeRoot, 'exec', '--process', path, id])
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      '1000',
      '1000 2000 3000',
      '/data',
      'b',
      'CapEff:\t0000000000000020',
      'Seccomp:\t2',
    ])
  })

  it('is filtered by a profile file of the node', async () => {
    const profile = join(pod.directory, 'profile.json')
    const syscalls = [{ names: ['chmod', 'fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO' }]
    await writeFile(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }))
    const found = await lines('chmod 700 /tmp 2>&1; touch /tmp/x && echo touched', {
      security: { seccomp: { type: 'localhost', ref: profile } },
    })
    assert.match(found[0] ?? '', /not permitted/)
    assert.equal(found[1], 'touched')
  })

  it('mounts what a link points to, and makes host paths that are missing', async () => {
    const real = join(pod.directory, 'real')
    const link = join(pod.directory, 'link')
    const missing = join(pod.directory, 'not/there')
    await mkdir(real)
    await writeFile(join(real, 'file'), 'real')
    await symlink(real, link)
    const mounts = [
      { ...sampleMount, hostPath: link, containerPath: 'data', isReadOnly: true },
      { ...sampleMount, hostPath: missing, containerPath: '/data/../more' },
    ]
    const found = await lines(
      'cat /data/file; echo; touch /data/x 2>/dev/null || echo refused; touch /more/x',
      {
        config: { mounts },
      },
    )
    assert.deepEqual(found, ['real', 'refused'])
    assert.equal(await pathExists(join(missing, 'x')), true)
  })

  it('makes no host path for a config that it refuses', async () => {
    const missing = join(pod.directory, 'never')
    const mounts = [{ ...sampleMount, hostPath: missing }]
    const config = { mounts, command: [], args: [] }
    await assert.rejects(pod.run({ config }), err => isKind(err, 'invalid-argument'))
    assert.equal(await pathExists(missing), false)
  })

  it('makes no host path for a caller that is gone', async () => {
    const missing = join(pod.directory, 'not-either')
    const config = { mounts: [{ ...sampleMount, hostPath: missing }] }
    await assert.rejects(pod.run({ config, signal: AbortSignal.abort() }), err => isKind(err, 'cancelled'))
    assert.equal(await pathExists(missing), false)
  })

  it('protects sub-mounts of a read-only mount only when that is recursive', async () => {
    const host = join(pod.directory, 'outer')
    await mkdir(join(host, 'inner'), { recursive: true })
    await exec('mount', ['-t', 'tmpfs', 'inner', join(host, 'inner')])
    try {
      for (const { isRecursiveReadOnly, expected } of [
        { isRecursiveReadOnly: false, expected: ['refused', 'written'] },
        { isRecursiveReadOnly: true, expected: ['refused', 'refused'] },
      ]) {
        const mounts = [{ ...sampleMount, hostPath: host, isReadOnly: true, isRecursiveReadOnly }]
        const script =
          'for f in /data/x /data/inner/x; do touch $f 2>/dev/null && echo written || echo refused; done'
        assert.deepEqual(await lines(script, { config: { mounts } }), expected)
      }
    } finally {
      await exec('umount', ['-l', join(host, 'inner')])
    }
  })

  describe('on a shared mount of the host', () => {
    let shared: string
    before(async () => {
      shared = join(pod.directory, 'shared')
      await mkdir(shared)
      await exec('mount', ['-t', 'tmpfs', 'shared', shared])
      await exec('mount', ['--make-shared', shared])
      await mkdir(join(shared, 'host'))
      await mkdir(join(shared, 'guest'))
    })
    after(async () => {
      await exec('umount', ['-l', join(shared, 'guest')]).catch(() => undefined)
      await exec('umount', ['-l', join(shared, 'host')]).catch(() => undefined)
      await exec('umount', ['-l', shared])
      await rm(shared, { recursive: true })
    })

    for (const { propagation, seesHost, isSeen } of [
      { propagation: 'private', seesHost: false, isSeen: false },
      { propagation: 'host-to-container', seesHost: true, isSeen: false },
      { propagation: 'bidirectional', seesHost: true, isSeen: true },
    ] as const) {
      it(`mounts travel as ${propagation} propagation says`, async () => {
        const fifo = join(pod.directory, `fifo-${propagation}`)
        await exec('mkfifo', [fifo])
        const mounts = [
          { ...sampleMount, hostPath: shared, propagation },
          { ...sampleMount, hostPath: fifo, containerPath: '/fifo' },
        ]
        const running = lines(
          'mount -t tmpfs guest /data/guest; touch /data/guest/mark; cat /fifo >/dev/null; ls /data/host',
          {
            config: { mounts },
            pod: { isPrivileged: true },
            security: { isPrivileged: true },
          },
        )
        // Opening the FIFO waits until the container reads it: then its own mount is made.
        const told = exec('sh', [
          '-c',
          'exec 3>"$0"; test -e "$1/guest/mark"; s=$?; mount -t tmpfs host "$1/host"; touch "$1/host/mark"; exec 3>&-; exit $s',
          fifo,
          shared,
        ]).then(
          () => true,
          () => false,
        )
        const [found, wasSeen] = await Promise.all([running, told])
        await exec('umount', ['-l', join(shared, 'host')])
        assert.deepEqual({ found, wasSeen }, { found: [seesHost ? 'mark' : ''], wasSeen: isSeen })
      })
    }
  })

  it('refuses propagation that the host path cannot have', async () => {
    const host = join(pod.directory, 'lonely')
    await mkdir(host)
    await exec('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'lonely', host])
    try {
      await exec('mount', ['--make-private', host])
      const mounts = [{ ...sampleMount, hostPath: host, propagation: 'bidirectional' as const }]
      await assert.rejects(pod.run({ config: { mounts } }), err => isKind(err, 'failed-precondition'))
    } finally {
      await exec('umount', ['-l', host])
    }
  })

  it('is in the namespaces of the host where its pod is', async () => {
    const namespaces = { ...sampleNamespaces, network: 'node', pid: 'node', ipc: 'node' } as const
    const kinds = ['net', 'pid', 'ipc', 'uts']
    const host = await Promise.all(kinds.map(kind => exec('readlink', [`/proc/self/ns/${kind}`])))
    const found = await lines(kinds.map(kind => `readlink /proc/self/ns/${kind}`).join(';'), {
      pod: { namespaces },
      security: { namespaces },
    })
    assert.deepEqual(
      found,
      host.map(({ stdout }) => stdout.trim()),
    )
  })

  it('is in the namespaces of its pod, and in a PID namespace of its own', async () => {
    const kinds = ['net', 'ipc', 'uts']
    const scripts = `echo $$; ${kinds.map(kind => `readlink /proc/self/ns/${kind}`).join(';')}`
    const [pid, ...first] = await lines(scripts)
    const [, ...second] = await lines(scripts)
    const host = await Promise.all(kinds.map(kind => exec('readlink', [`/proc/self/ns/${kind}`])))
    assert.equal(pid, '1')
    assert.deepEqual(first, second)
    for (const { stdout } of host) assert.equal(first.includes(stdout.trim()), false)
  })

  it('joins the PID namespace of its target', async () => {
    const namespaces = { ...sampleNamespaces, pid: 'target', targetId: 'x' } as const
    const found = await lines('readlink /proc/self/ns/pid; echo $$', {
      security: { namespaces },
      targetPid: process.pid,
    })
    const { stdout } = await exec('readlink', ['/proc/self/ns/pid'])
    assert.equal(found[0], stdout.trim())
  })

  it('has the device that it was given, with the access that it was given', async () => {
    const devices = [{ hostPath: '/dev/kmsg', containerPath: '/dev/log-of-kernel', permissions: 'r' }]
    const found = await lines(
      'ls /dev/log-of-kernel; (: </dev/log-of-kernel) 2>/dev/null && echo readable; (: >/dev/log-of-kernel) 2>/dev/null || echo refused',
      { config: { devices }, security: { capabilities: { add: ['SYSLOG'], drop: [], addAmbient: [] } } },
    )
    assert.deepEqual(found, ['/dev/log-of-kernel', 'readable', 'refused'])
  })
})
