import type { TestContext } from 'node:test'
import type { Ctx } from '#base/context'
import { createIds, parseContainerId } from '#base/ids'
import type { Shims } from '#shim/shim'
import { type ContainerOptions, startShims, type TestContainer } from '#shim/testing/shim-fixture'
import type { ContainerDeps } from '../containers/container-deps.ts'
import { createExecs } from '../containers/execs.ts'
import type { Container } from '../model/container.ts'
import { writeExecProcess } from '../oci/process-spec.ts'
import { createContainerBench } from './container-bench.ts'
import { sampleContainer, sampleContainerConfig } from './samples.ts'

/** One container that really runs, under the real shim and the real runc, as the operations of the engine see it. */
export interface SessionBench {
  readonly deps: ContainerDeps
  readonly ctx: Ctx
  readonly record: Container
  readonly container: TestContainer
  readonly shims: Shims
}

export async function startSessionBench(
  t: TestContext,
  options: ContainerOptions = {},
): Promise<SessionBench> {
  const { launch, shims, ctx } = await startShims(t)
  const container = await launch(options)
  await container.started()
  const { spec } = container
  const { deps } = await createContainerBench()
  const record = sampleContainer({
    id: parseContainerId(spec.id),
    config: sampleContainerConfig({
      hasStdin: spec.hasStdin,
      isStdinOnce: spec.isStdinOnce,
      hasTty: spec.hasTty,
    }),
    phase: 'running',
  })
  await deps.table.insert(record)
  const paths: ContainerDeps['paths'] = {
    ...deps.paths,
    container: id => ({
      ...deps.paths.container(id),
      directory: spec.bundlePath,
      bundle: spec.bundlePath,
      socket: spec.socketPath,
    }),
  }
  const execs = createExecs({
    writeProcess: writeExecProcess,
    shims,
    paths,
    ids: createIds(),
  })
  const limits = { ...deps.limits, execSyncBytes: 16 * 1024 * 1024 }
  return { deps: { ...deps, shims, paths, execs, limits }, ctx, record, container, shims }
}
