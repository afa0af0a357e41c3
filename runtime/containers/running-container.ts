import { RuntimeError } from '#base/errors'
import type { Container } from '../model/container.ts'
import type { Table } from '../state/table.ts'

/** By id or unique prefix. Errors: `not-found`, `failed-precondition` if it does not run. */
export function runningContainer(table: Table<Container>, idOrPrefix: string): Container {
  const container = table.resolve(idOrPrefix)
  if (container.phase === 'running') return container
  throw new RuntimeError(
    'failed-precondition',
    `container "${container.id}" is ${container.phase}, not running`,
  )
}
