import type { Engine } from '#engine/engine'
import type { StreamingUrls } from './streaming/server.ts'

/** What the handlers of both services are made of. */
export interface DoorDeps {
  /** The engine as the owner space of this door sees it. */
  readonly engine: Engine
  /** Where clients go for exec, attach and port-forward. */
  readonly streaming: StreamingUrls
  /** Version of lighterd. */
  readonly version: string
  /** The effective configuration, shown by Status when it is asked to be verbose. */
  readonly config: { readonly stateDir: string; readonly rootDir: string }
}
