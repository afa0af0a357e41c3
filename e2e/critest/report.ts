import * as v from 'valibot'

/** How one spec ended. */
export interface SpecOutcome {
  /** Texts of its containers and its own. */
  readonly name: string
  readonly state: 'passed' | 'failed' | 'skipped'
  readonly seconds: number
  /** Why it failed or skipped itself. */
  readonly message: string
}

const spec = v.object({
  LeafNodeType: v.string(),
  LeafNodeText: v.optional(v.string(), ''),
  ContainerHierarchyTexts: v.nullish(v.array(v.string()), []),
  State: v.string(),
  RunTime: v.optional(v.number(), 0),
  Failure: v.optional(v.object({ Message: v.optional(v.string(), '') })),
})

const reports = v.array(v.object({ SpecReports: v.array(spec) }))

type Spec = v.InferOutput<typeof spec>

/**
 * Outcomes of the specs that were chosen to run, from a JSON report of ginkgo; steps around the suite count when
 * they fail.
 */
export function parseReport(text: string): readonly SpecOutcome[] {
  const suites = v.parse(reports, JSON.parse(text))
  return suites
    .flatMap(suite => suite.SpecReports)
    .flatMap(toOutcome)
    .sort((a, b) => a.name.localeCompare(b.name))
}

function toOutcome(spec: Spec): readonly SpecOutcome[] {
  const message = spec.Failure?.Message ?? ''
  const isSpec = spec.LeafNodeType === 'It'
  // Specs that focus and skip leave out are reported as skipped for no reason.
  if (spec.State === 'pending' || (spec.State === 'skipped' && message === '')) return []
  const state = spec.State === 'passed' || spec.State === 'skipped' ? spec.State : 'failed'
  if (!isSpec && state !== 'failed') return []
  const name = [...spec.ContainerHierarchyTexts, isSpec ? spec.LeafNodeText : spec.LeafNodeType]
  return [{ name: name.join(' '), state, seconds: spec.RunTime / 1e9, message }]
}
