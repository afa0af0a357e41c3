import assert from 'node:assert/strict'
import test from 'node:test'
import { v1 } from '#proto'
import type { ContainerSecurity } from '../../harness/configs.ts'
import { fails } from '../../harness/expect.ts'
import { readText } from '../../harness/files.ts'
import { mustRun } from '../../harness/program.ts'
import { exited } from '../../harness/states.ts'
import { initPid, type Stories } from './look.ts'

const { RuntimeDefault, Localhost, Unconfined } = v1.SecurityProfile.ProfileType
const capabilities = { addCapabilities: ['SYS_ADMIN'] }

const denying = `abi <abi/3.0>,
profile smoke-deny flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  umount,
  mount,
  signal,
  ptrace,
  unix,
  deny /denied/** w,
}
`

/** AppArmor in enforce mode: lighter's own profile, others by name, none. */
export function apparmorStories(story: Stories): void {
  test(
    'the default profile is loaded at start and holds its containers, also those that name none',
    story(async s => {
      assert.match(await readText('/sys/kernel/security/apparmor/profiles'), /^lighter-default \(enforce\)$/m)
      const pod = await s.runPod()
      const wanted: readonly (ContainerSecurity | undefined)[] = [
        { apparmor: { profileType: RuntimeDefault }, capabilities },
        { apparmorProfile: 'runtime/default', capabilities },
        { capabilities },
      ]
      for (const [index, security] of wanted.entries()) {
        const id = await s.run(pod, { name: `default-${String(index)}`, ...(security && { security }) })
        const label = await readText(`/proc/${String(await initPid(s, id))}/attr/current`)
        assert.match(label, /^lighter-default \(enforce\)/)
        assert.match(await s.exec(id, 'cat', '/proc/self/attr/current'), /^lighter-default \(enforce\)/)
        if (index > 0) continue
        for (const denied of [
          'mount -t tmpfs none /tmp',
          'echo h > /proc/sysrq-trigger',
          'echo x > /proc/sys/kernel/core_pattern',
        ]) {
          const { exitCode, stderr } = await s.cri.exec(id, ['sh', '-c', denied])
          assert.notEqual(exitCode, 0, denied)
          assert.match(stderr, /denied|Read-only/i, denied)
        }
        assert.equal(
          await s.exec(id, 'sh', '-c', 'echo x > /tmp/x; cat /tmp/x; sleep 100 & kill $!; echo ok'),
          'x\nok',
        )
        await s.cri.stopContainer(id, 20)
        assert.equal((await exited(s.cri, id)).exitCode, 0, 'SIGTERM reaches it')
      }
    }),
  )

  test(
    'a profile of the node is enforced, one that is not loaded is an error, and unconfined is unconfined',
    story(async s => {
      await mustRun(['apparmor_parser', '--replace', '--skip-cache'], { input: denying })
      const pod = await s.runPod()
      const forms: readonly ContainerSecurity[] = [
        { apparmor: { profileType: Localhost, localhostRef: 'smoke-deny' } },
        { apparmorProfile: 'localhost/smoke-deny' },
      ]
      for (const [index, security] of forms.entries()) {
        const id = await s.run(pod, { name: `localhost-${String(index)}`, security })
        assert.match(await s.exec(id, 'cat', '/proc/1/attr/current'), /^smoke-deny \(enforce\)/)
        const { exitCode, stderr } = await s.cri.exec(id, ['sh', '-c', 'mkdir /denied; echo x > /denied/x'])
        assert.notEqual(exitCode, 0)
        assert.match(stderr, /denied/i)
        await s.cri.stopContainer(id, 20)
        assert.equal((await exited(s.cri, id)).exitCode, 0)
      }
      await fails(
        s.run(pod, {
          name: 'unloaded',
          security: { apparmor: { profileType: Localhost, localhostRef: 'nowhere-loaded' } },
        }),
        'failedPrecondition',
        /"nowhere-loaded" is not loaded/,
      )
      for (const [index, security] of [
        { apparmor: { profileType: Unconfined } },
        { privileged: true },
      ].entries()) {
        const podId = index === 0 ? pod : await s.runPod({ isPrivileged: true })
        const id = await s.run(podId, { name: `unconfined-${String(index)}`, security })
        assert.match(await s.exec(id, 'cat', '/proc/1/attr/current'), /^unconfined/)
      }
      await mustRun(['apparmor_parser', '--remove'], { input: denying })
    }),
  )
}
