import assert from 'node:assert/strict'
import { mkdir, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { mode, propagation } from '../harness/configs.ts'
import { fails } from '../harness/expect.ts'
import { mustRun } from '../harness/program.ts'
import { exited } from '../harness/states.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()

/** A directory with a tmpfs mounted on it and another one below, both gone when the body is done. */
async function withSubmount(s: Story, body: (dir: string) => Promise<void>): Promise<void> {
  const dir = join(s.scratch.dir, 'mounted')
  await mkdir(dir, { recursive: true })
  await mustRun(['mount', '-t', 'tmpfs', 'tmpfs', dir])
  try {
    await mustRun(['mount', '--make-private', dir])
    await mkdir(join(dir, 'below'))
    await mustRun(['mount', '-t', 'tmpfs', 'tmpfs', join(dir, 'below')])
    await body(dir)
  } finally {
    await mustRun(['umount', '-R', '-l', dir])
  }
}

test(
  'a read-only mount leaves the mounts below it writable, a recursive one does not',
  story(async s => {
    await withSubmount(s, async dir => {
      const id = await s.run(await s.runPod(), {
        mounts: [
          { containerPath: '/top', hostPath: dir, readonly: true },
          { containerPath: '/all', hostPath: dir, readonly: true, recursiveReadOnly: true },
        ],
      })
      await s.exec(id, 'touch', '/top/below/new')
      for (const path of ['/top/new', '/all/new', '/all/below/new']) {
        assert.match((await s.cri.exec(id, ['touch', path])).stderr, /Read-only file system/, path)
      }
    })
  }),
)

test(
  'mount options hold: noexec, nodev, nosuid; any other is refused by name',
  story(async s => {
    const dir = join(s.scratch.dir, 'options')
    await mkdir(dir)
    const pod = await s.runPod()
    const id = await s.run(pod, {
      mounts: [
        { containerPath: '/plain', hostPath: dir },
        { containerPath: '/noexec', hostPath: dir, mountOptions: ['noexec'] },
        { containerPath: '/all', hostPath: dir, readonly: true, mountOptions: ['nosuid', 'nodev', 'noexec'] },
      ],
    })
    await s.exec(id, 'cp', '/bin/busybox', '/plain/busybox')
    await s.exec(id, '/plain/busybox', 'true')
    for (const path of ['/noexec/busybox', '/all/busybox']) {
      assert.match((await s.cri.exec(id, ['sh', '-c', `${path} true`])).stderr, /[Pp]ermission denied/, path)
    }
    const mounts = await s.exec(id, 'cat', '/proc/mounts')
    assert.match(mounts, / \/noexec \S+ rw,noexec,/)
    assert.match(mounts, / \/all \S+ ro,nosuid,nodev,noexec,/)
    for (const option of ['ro', 'exec', 'suid', 'bind', 'noexec,dev', '']) {
      const mount = { containerPath: '/x', hostPath: dir, mountOptions: [option] }
      await fails(s.create(pod, { name: 'no', mounts: [mount] }), 'invalidArgument', /mount_options/)
    }
    assert.deepEqual((await s.cri.containerStatus(id)).mounts?.[2]?.mountOptions, [
      'nosuid',
      'nodev',
      'noexec',
    ])
  }),
)

for (const [what, change, message] of [
  ['recursive and not read-only', { recursiveReadOnly: true }, /readonly/],
  [
    'recursive read-only and getting mounts',
    {
      readonly: true,
      recursiveReadOnly: true,
      propagation: propagation.PROPAGATION_HOST_TO_CONTAINER,
    },
    /PRIVATE/,
  ],
  [
    'recursive read-only and sharing mounts',
    { readonly: true, recursiveReadOnly: true, propagation: propagation.PROPAGATION_BIDIRECTIONAL },
    /PRIVATE/,
  ],
  ['of nothing', { hostPath: '' }, /host_path/],
  ['of a relative path', { hostPath: 'tmp' }, /absolute/],
  ['on the root', { containerPath: '/.' }, /root directory/],
  ['of a part of no image', { imageSubPath: 'x' }, /needs an image/],
] as const) {
  test(
    `a mount that is ${what} is refused`,
    story(async s => {
      const mount = { containerPath: '/x', hostPath: s.scratch.dir, ...change }
      await fails(s.create(await s.runPod(), { mounts: [mount] }), 'invalidArgument', message)
    }),
  )
}

for (const value of [propagation.PROPAGATION_HOST_TO_CONTAINER, propagation.PROPAGATION_BIDIRECTIONAL]) {
  test(
    `propagation ${String(value)} of a path on a private mount is refused, it would have no effect`,
    story(async s => {
      await withSubmount(s, async dir => {
        const mount = { containerPath: '/x', hostPath: dir, propagation: value }
        await fails(s.create(await s.runPod(), { mounts: [mount] }), 'failedPrecondition', /shared mount/)
      })
    }),
  )
}

test(
  'a missing host path is made, also behind a link; a link to nothing is refused',
  story(async s => {
    const dir = join(s.scratch.dir, 'links')
    await mkdir(join(dir, 'real'), { recursive: true })
    await symlink('real', join(dir, 'link'))
    await symlink('nothing', join(dir, 'dangling'))
    const pod = await s.runPod()
    await s.run(pod, { mounts: [{ containerPath: '/x', hostPath: join(dir, 'link', 'a', 'b') }] })
    assert.ok((await stat(join(dir, 'real', 'a', 'b'))).isDirectory())
    const mount = { containerPath: '/x', hostPath: join(dir, 'dangling') }
    await fails(s.create(pod, { name: 'no', mounts: [mount] }), 'failedPrecondition', /link to nothing/)
  }),
)

test(
  'an idmapped volume is what its path was when the container was created, whatever is put there later',
  story(async s => {
    const dir = join(s.scratch.dir, 'swapped')
    await mkdir(join(dir, 'good'), { recursive: true })
    await mkdir(join(dir, 'bad'))
    await writeFile(join(dir, 'good', 'file'), 'good')
    await writeFile(join(dir, 'bad', 'file'), 'bad')
    const mapping = [{ containerId: 0, hostId: 0, length: 65_536 }]
    const id = await s.create(await s.runPod(), {
      shell: 'cat /x/file; exec sleep 1000',
      mounts: [
        { containerPath: '/x', hostPath: join(dir, 'good'), uidMappings: mapping, gidMappings: mapping },
      ],
    })
    await rename(join(dir, 'good'), join(dir, 'aside'))
    await symlink('bad', join(dir, 'good'))
    await s.cri.startContainer(id)
    assert.equal(await s.exec(id, 'cat', '/x/file'), 'good')
  }),
)

test(
  'PID mode TARGET joins a container of the same pod, and nothing else',
  story(async s => {
    const pod = await s.runPod()
    const target = await s.run(pod, { name: 'target', shell: 'exec sleep 1000' })
    const into = (targetId: string) => ({ namespaceOptions: { pid: mode.TARGET, targetId } })
    const debug = await s.run(pod, { name: 'debug', security: into(target) })
    assert.match(await s.exec(debug, 'cat', '/proc/1/cmdline'), /^sleep/)
    const other = await s.run(await s.runPod())
    await fails(s.create(pod, { name: 'other', security: into(other) }), 'invalidArgument', /not in pod/)
    await s.cri.stopContainer(target)
    await exited(s.cri, debug)
    await fails(s.create(pod, { name: 'late', security: into(target) }), 'failedPrecondition', /not running/)
  }),
)
