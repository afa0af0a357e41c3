import { randomInt } from 'node:crypto'
import { RuntimeError } from '#base/errors'
import type { Pod } from '../model/pod.ts'

/** Categories of the targeted policy, and looks for a free pair of them before all are taken for used. */
const limits = { categories: 1024, tries: 1000 } as const

/** A level that no other pod has, two categories of sensitivity 0. Errors: `resource-exhausted` when none is found. */
export function freeSelinuxLevel(
  pods: readonly Pick<Pod, 'selinuxLevel'>[],
  random: (below: number) => number = randomInt,
): string {
  const used = new Set(pods.map(pod => pod.selinuxLevel))
  for (let attempt = 0; attempt < limits.tries; attempt++) {
    const [low, high] = [random(limits.categories), random(limits.categories)].sort((a, b) => a - b)
    const level = `s0:c${low ?? 0},c${high ?? 0}`
    if (low !== high && !used.has(level)) return level
  }
  throw new RuntimeError('resource-exhausted', 'every pair of SELinux categories belongs to a pod')
}
