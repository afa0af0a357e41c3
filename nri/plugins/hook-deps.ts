import type { Log } from '#base/log'
import type { Gate } from './gate.ts'
import type { PluginSet } from './plugin-set.ts'
import type { Subjects } from './subjects.ts'
import type { Updates } from './updates.ts'

/** What telling plugins about pods and containers is made of. */
export interface HookDeps {
  /** Held by many while they tell; a plugin that joins excludes them. */
  readonly gate: Gate
  readonly plugins: PluginSet
  readonly subjects: Subjects
  readonly updates: Updates
  readonly log: Log
}
