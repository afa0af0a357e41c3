import type { HostFacts } from '../host/host-facts.ts'
import type { LinuxResources } from '../model/linux.ts'
import { readBundle, writeBundle } from './bundle.ts'
import { processOomScore } from './spec/process.ts'
import { limitsSpec } from './spec/resources.ts'
import type { ResourcesSpec, Spec } from './spec/types.ts'

export interface BundleUpdate {
  readonly bundlePath: string
  /** All that is to be in force, not only what changes. */
  readonly resources: LinuxResources
}

/** The resources that a bundle would have. Errors: as buildSpec. */
export async function plannedResources(
  facts: Pick<HostFacts, 'cgroups'>,
  update: BundleUpdate,
): Promise<ResourcesSpec> {
  const spec = await readBundle(update.bundlePath)
  return withLimits(spec.linux.resources, limitsSpec(update.resources, facts.cgroups))
}

/** Puts other limits into the config.json of a bundle; a start, or a restore, then has them. */
export async function updateBundle(
  facts: Pick<HostFacts, 'cgroups' | 'oomScore'>,
  update: BundleUpdate,
): Promise<void> {
  const spec = await readBundle(update.bundlePath)
  const limits = limitsSpec(update.resources, facts.cgroups)
  const oomScoreAdj = processOomScore(update.resources, facts.oomScore)
  const next: Spec = {
    ...spec,
    process: { ...spec.process, ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }) },
    linux: { ...spec.linux, resources: withLimits(spec.linux.resources, limits) },
  }
  await writeBundle(update.bundlePath, next)
}

/** What others put into the bundle (devices, limits that the CRI does not have) stays. */
function withLimits(current: ResourcesSpec, limits: Omit<ResourcesSpec, 'devices'>): ResourcesSpec {
  return {
    ...current,
    ...limits,
    ...(limits.memory ? { memory: { ...current.memory, ...limits.memory } } : {}),
    ...(limits.cpu ? { cpu: { ...current.cpu, ...limits.cpu } } : {}),
    ...(limits.unified ? { unified: { ...current.unified, ...limits.unified } } : {}),
  }
}
