import type { Duplex } from 'node:stream'
import type { Outcome } from './outcome.ts'

/** The client of an exec or attach, whatever protocol it speaks. A channel that was not asked for is not there. */
export interface ProcessClient {
  readonly stdin: Duplex | undefined
  readonly stdout: Duplex | undefined
  readonly stderr: Duplex | undefined
  /** JSON objects {"Width", "Height"}, one after the other. */
  readonly resize: Duplex | undefined
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal
  /** After all output: says how it ended, then closes the connection. Settles when it is closed. */
  finish(outcome: Outcome): Promise<void>
}
