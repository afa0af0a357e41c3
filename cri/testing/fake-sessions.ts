import { RuntimeError } from '#base/errors'
import type { SessionOperations } from '#engine/model/session'

export function fakeSessions(): SessionOperations {
  const unbuilt = (what: string) => Promise.reject(new RuntimeError('unimplemented', what))
  return {
    exec: () => unbuilt('exec'),
    attach: () => unbuilt('attach'),
    forward: () => unbuilt('forward'),
  }
}
