import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Programs } from '#base/programs'
import type { EngineConfig } from '../engine-config.ts'
import { cgroupDirectories, oomPath } from '../host/cgroup-paths.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import { deleteContainer } from '../oci/delete-container.ts'
import type { RuntimeFinder } from '../oci/runtime-features.ts'
import { updateContainer } from '../oci/update-container.ts'
import type { OciRuntimes } from './container-deps.ts'

export interface OciRuntimesDeps {
  readonly config: Pick<EngineConfig, 'runtimeHandlers' | 'defaultRuntimeHandler' | 'limits'>
  readonly finder: RuntimeFinder
  readonly programs: Programs
  readonly cgroups: CgroupLayout
  readonly runtimeRoot: string
}

/** The configured runtime handlers; "" is the default one. */
export function createOciRuntimes(deps: OciRuntimesDeps): OciRuntimes {
  const paths = new Map(deps.config.runtimeHandlers.map(handler => [handler.name, handler.path]))

  function configuredPath(handler: string): string {
    const path = paths.get(handler === '' ? deps.config.defaultRuntimeHandler : handler)
    if (path === undefined)
      throw new RuntimeError('not-found', `runtime handler "${handler}" is not configured`)
    return path
  }

  return {
    find: (ctx, handler) => deps.finder.find(ctx, configuredPath(handler)),
    async delete(ctx: Ctx, { handler, id }) {
      const { path } = await deps.finder.find(ctx, configuredPath(handler))
      const { runtimeRoot } = deps
      await deleteContainer(ctx, deps.programs, {
        id,
        runtimePath: path,
        runtimeRoot,
        timeoutMs: deps.config.limits.runtimeTimeoutMs,
      })
    },
    async update(ctx, { handler, id, resources }) {
      const { path } = await deps.finder.find(ctx, configuredPath(handler))
      await updateContainer(ctx, deps.programs, {
        id,
        runtimePath: path,
        runtimeRoot: deps.runtimeRoot,
        hasSystemdCgroup: deps.cgroups.driver === 'systemd',
        resources,
        timeoutMs: deps.config.limits.runtimeTimeoutMs,
      })
    },
    hasSystemdCgroup: deps.cgroups.driver === 'systemd',
    cgroups: cgroupsPath => cgroupDirectories(deps.cgroups, cgroupsPath),
    oomPath: cgroupsPath => oomPath(deps.cgroups, cgroupsPath),
  }
}
