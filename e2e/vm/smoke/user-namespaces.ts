import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runtimeMethods as rpc } from '../../../cri/grpc/methods.ts'
import { mode } from '../../harness/configs.ts'
import { fails } from '../../harness/expect.ts'
import type { Stories } from './look.ts'

const mapping = { containerId: 0, hostId: 300_000, length: 65_536 }
const usernsOptions = { mode: mode.POD, uids: [mapping], gids: [mapping] }
const namespaces = { pid: mode.CONTAINER, usernsOptions }
const mapped = { uidMappings: [mapping], gidMappings: [mapping] }

/** What the node says of user namespaces is what it does. */
export function userNamespaceStories(story: Stories): void {
  test(
    'a pod with a user namespace runs if the node offers that, and is refused with the reason if not',
    story(async (s, t) => {
      const { runtimeHandlers } = await s.cri.client.call(rpc.Status, {})
      const isOffered = runtimeHandlers.some(handler => handler.features?.userNamespaces === true)
      t.diagnostic(`Linux ${release()}: user namespaces ${isOffered ? 'offered' : 'not offered'}`)
      if (!isOffered) {
        await fails(
          s.runPod({ namespaces }),
          'failedPrecondition',
          /user namespace.*(Linux|idmapped|kernel|Invalid argument)/i,
        )
        return
      }
      const volume = join(s.scratch.dir, 'volume')
      await mkdir(volume)
      await writeFile(join(volume, 'theirs'), 'text')
      const pod = await s.runPod({ namespaces })
      const id = await s.run(pod, {
        mounts: [{ containerPath: '/volume', hostPath: volume, ...mapped }],
        security: { namespaceOptions: namespaces },
      })
      assert.match(await s.exec(id, 'cat', '/proc/self/uid_map'), /^\s*0\s+300000\s+65536$/)
      assert.equal(
        await s.exec(id, 'stat', '-c', '%u', '/', '/bin/sh', '/volume/theirs', '/dev/shm'),
        '0\n0\n0\n0',
      )
      await s.exec(id, 'sh', '-c', 'echo x > /volume/ours; echo x > /new; echo x > /dev/shm/x')
      assert.equal((await stat(join(volume, 'ours'))).uid, 0)
    }),
  )
}
