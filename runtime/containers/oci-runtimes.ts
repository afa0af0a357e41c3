import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { RuntimeError } from '#base/errors'
import { removePath } from '#base/files'
import type { Programs } from '#base/programs'
import type { EngineConfig, RuntimeHandlerConfig } from '../engine-config.ts'
import { cgroupDirectories, oomPath } from '../host/cgroup-paths.ts'
import type { CgroupLayout } from '../host/cgroups.ts'
import { setHugepageLimits } from '../host/hugepages.ts'
import { deleteContainer } from '../oci/delete-container.ts'
import { type RuntimeFinder, whyUnusable } from '../oci/runtime-features.ts'
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
  const handlers = new Map(deps.config.runtimeHandlers.map(handler => [handler.name, handler]))

  function options(name: string): RuntimeHandlerConfig {
    const handler = handlers.get(name === '' ? deps.config.defaultRuntimeHandler : name)
    if (handler) return handler
    const known = [...handlers.keys()].sort().join(', ')
    throw new RuntimeError('not-found', `runtime handler "${name}" is not configured, only ${known}`)
  }

  return {
    options,
    async find(ctx, handler) {
      const features = await deps.finder.find(ctx, options(handler).path)
      const reason = await whyUnusable(features, deps.cgroups)
      if (reason === undefined) return features
      throw new RuntimeError('failed-precondition', `runtime handler "${handler}" cannot be used: ${reason}`)
    },
    async delete(ctx: Ctx, { handler, id }) {
      const configured = handlers.get(handler === '' ? deps.config.defaultRuntimeHandler : handler)
      if (!configured) {
        // Taken out of the configuration while it had containers: their processes and cgroups are ended without it.
        await removePath(join(deps.runtimeRoot, id))
        return
      }
      const { path } = await deps.finder.find(ctx, configured.path)
      const { runtimeRoot } = deps
      await deleteContainer(ctx, deps.programs, {
        id,
        runtimePath: path,
        runtimeRoot,
        timeoutMs: deps.config.limits.runtimeTimeoutMs,
      })
    },
    async update(ctx, { handler, id, cgroupsPath, resources, hugepageLimits }) {
      const { path } = await deps.finder.find(ctx, options(handler).path)
      const putBack = await setHugepageLimits(deps.cgroups, cgroupsPath, hugepageLimits)
      try {
        await updateContainer(ctx, deps.programs, {
          id,
          runtimePath: path,
          runtimeRoot: deps.runtimeRoot,
          hasSystemdCgroup: deps.cgroups.driver === 'systemd',
          resources,
          timeoutMs: deps.config.limits.runtimeTimeoutMs,
        })
      } catch (err) {
        await putBack()
        throw err
      }
    },
    hasSystemdCgroup: deps.cgroups.driver === 'systemd',
    cgroups: cgroupsPath => cgroupDirectories(deps.cgroups, cgroupsPath),
    oomPath: cgroupsPath => oomPath(deps.cgroups, cgroupsPath),
  }
}
