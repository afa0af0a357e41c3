import { type HooksSpec, hookStages, type Spec } from './types.ts'

/** The spec with more hooks; each stage runs its hooks in the order in which they were added. */
export function withHooks(spec: Spec, added: HooksSpec): Spec {
  const stages = hookStages.flatMap(stage => {
    const all = [...(spec.hooks?.[stage] ?? []), ...(added[stage] ?? [])]
    return all.length > 0 ? [[stage, all] as const] : []
  })
  return stages.length > 0 ? { ...spec, hooks: Object.fromEntries(stages) } : spec
}
