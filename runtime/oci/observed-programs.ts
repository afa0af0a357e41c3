import { type ErrorKind, kindOf } from '#base/errors'
import type { Programs } from '#base/programs'
import type { EngineObserver } from '../model/observer.ts'

const operations: readonly string[] = [
  'checkpoint',
  'delete',
  'features',
  'kill',
  'state',
  'update',
  '--version',
]

/** The same, and the observer hears of each call of an OCI runtime; exit codes other than 0 are failures. */
export function observedPrograms(programs: Programs, observer: Pick<EngineObserver, 'runtimeRan'>): Programs {
  return {
    async run(ctx, program) {
      const startedMs = performance.now()
      let failure: ErrorKind | undefined
      try {
        const result = await programs.run(ctx, program)
        if (result.exitCode !== 0) failure = 'internal'
        return result
      } catch (err) {
        failure = kindOf(err)
        throw err
      } finally {
        const operation = operationOf(program.argv)
        observer.runtimeRan({ operation, ms: performance.now() - startedMs, failure })
      }
    },
  }
}

function operationOf(argv: readonly string[]): string {
  const found = argv.slice(1).find(argument => operations.includes(argument)) ?? 'other'
  return found.replace(/^--/, '')
}
