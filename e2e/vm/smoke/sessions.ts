import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import test from 'node:test'
import { v1 } from '#proto'
import { buildImage } from '../../../deploy/demo/image-builder.ts'
import { createCrictl, whyNoCrictl } from '../../harness/crictl.ts'
import { readEvents } from '../../harness/event-reader.ts'
import { eventually } from '../../harness/eventually.ts'
import { readLogText } from '../../harness/pod-log.ts'
import type { Stories } from './look.ts'

const noCrictl = await whyNoCrictl()
const kinds = v1.ContainerEventType

/** Exec, logs, events and image volumes: the daemon is a service, and is not in the way of any. */
export function sessionStories(story: Stories): void {
  test(
    'exec answers output and exit codes, at once and streamed',
    { skip: noCrictl },
    story(async s => {
      const id = await s.run(await s.runPod())
      assert.deepEqual(await s.cri.exec(id, ['sh', '-c', 'echo out; echo err >&2; exit 3']), {
        stdout: 'out\n',
        stderr: 'err\n',
        exitCode: 3,
      })
      const crictl = await createCrictl(s.scratch)
      assert.equal((await crictl('exec', '-s', id, 'echo', 'synchronous')).trim(), 'synchronous')
      assert.equal((await crictl('exec', id, 'echo', 'streamed')).trim(), 'streamed')
    }),
  )

  test(
    'a log that is rotated loses no line and doubles none',
    story(async s => {
      const pod = await s.runPod()
      const id = await s.run(pod, {
        shell: 'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo $i; done; exec sleep 1000',
      })
      const path = s.logPath(pod)
      const parts = [path]
      for (const part of [1, 2]) {
        const rotated = `${path}.${String(part)}`
        await rename(path, rotated)
        await s.cri.reopenLog(id)
        parts.push(rotated)
      }
      await eventually('all lines are written', async () => {
        const lines = await Promise.all(parts.map(part => readLogText(part).catch(() => [])))
        return lines.flat().length >= 3000
      })
      const lines = (await Promise.all(parts.map(part => readLogText(part)))).flat()
      assert.deepEqual(
        lines.map(Number).sort((a, b) => a - b),
        Array.from({ length: 3000 }, (_, index) => index + 1),
      )
    }),
  )

  test(
    'an image is mounted as a volume, and the life of its container is told as events',
    story(async s => {
      const reader = await readEvents(s.cri.client)
      const image = await buildImage({
        layers: [{ entries: [{ type: 'file', path: 'data/keep', content: 'kept', mode: 0o644 }] }],
      })
      const reference = s.registry.put('e2e/data', '1', image)
      await s.cri.pull(reference)
      const pod = await s.runPod()
      const id = await s.run(pod, {
        mounts: [{ containerPath: '/volume', image: { image: reference }, readonly: true }],
      })
      assert.equal(await s.exec(id, 'cat', '/volume/data/keep'), 'kept')
      await s.cri.stopContainer(id, 20)
      await s.cri.removeContainer(id)
      await reader.find(
        'its end',
        event => event.containerId === id && event.containerEventType === kinds.CONTAINER_DELETED_EVENT,
      )
      const told = reader.events.filter(event => event.containerId === id)
      assert.deepEqual(
        told.map(event => event.containerEventType),
        [
          kinds.CONTAINER_CREATED_EVENT,
          kinds.CONTAINER_STARTED_EVENT,
          kinds.CONTAINER_STOPPED_EVENT,
          kinds.CONTAINER_DELETED_EVENT,
        ],
      )
      assert.equal(await reader.close(), undefined)
    }),
  )
}
