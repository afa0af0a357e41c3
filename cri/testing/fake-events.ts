import { RuntimeError } from '#base/errors'
import type { EventOperations } from '#engine/model/event'

export function fakeEvents(): EventOperations {
  return {
    subscribe() {
      throw new RuntimeError('unimplemented', 'events')
    },
  }
}
