import assert from 'node:assert/strict'
import test from 'node:test'
import { isKind } from '#base/errors'
import type { ContainerPhase } from '../model/container.ts'
import { createContainerBench, testCtx } from '../testing/container-bench.ts'
import { sampleContainer } from '../testing/samples.ts'
import { createReopenContainerLog } from './reopen-container-log.ts'

test('only a running container has a log to open again', async () => {
  const bench = await createContainerBench()
  const { deps } = bench
  const asked: string[] = []
  const shims = {
    ...deps.shims,
    reopenLog: (_ctx: unknown, socketPath: string) => Promise.resolve(void asked.push(socketPath)),
  }
  const reopenLog = createReopenContainerLog({ ...deps, shims })
  const phases: readonly ContainerPhase[] = ['creating', 'created', 'starting', 'exited', 'removing']
  for (const phase of phases) {
    const container = sampleContainer({ phase })
    await deps.table.insert(container)
    await assert.rejects(
      reopenLog(testCtx, container.id),
      err => isKind(err, 'failed-precondition') && err.message.includes(`is ${phase}, not running`),
    )
  }
  assert.deepEqual(asked, [])
  const { container } = await bench.addRunning()
  await reopenLog(testCtx, container.id.slice(0, 16))
  assert.deepEqual(asked, [deps.paths.container(container.id).socket])
  await assert.rejects(reopenLog(testCtx, 'ffff'), err => isKind(err, 'not-found'))
})
