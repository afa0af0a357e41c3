import type { SpecOutcome } from './report.ts'

interface Exception {
  readonly spec: RegExp
  readonly reason: string
}

/** Specs that are not run. */
export const excluded: readonly Exception[] = [
  {
    spec: /public image with digest should be pulled and removed/,
    reason: 'pulls an image by a digest that is part of the suite: it cannot be built, only fetched',
  },
]

/** What a node without these abilities cannot show: such specs skip themselves, and may. */
const machineCannot: readonly Exception[] = [
  { spec: /\] AppArmor /, reason: 'the kernel has no AppArmor' },
  { spec: /\] NRI /, reason: 'no NRI socket was given to the suite' },
]

/** Specs that failed, and those that skipped themselves though this machine can do what they ask for. */
export function unexpected(outcomes: readonly SpecOutcome[]): readonly SpecOutcome[] {
  return outcomes.filter(
    ({ name, state }) =>
      state === 'failed' || (state === 'skipped' && !machineCannot.some(({ spec }) => spec.test(name))),
  )
}
