import { randomBytes } from 'node:crypto'
import type { BuiltImage } from '../../../deploy/demo/image-builder.ts'
import { type PodConfig, type PodOverrides, podConfig } from '../../harness/configs.ts'
import type { Cri } from '../../harness/cri.ts'
import type { Scratch } from '../../harness/scratch.ts'

/** A runtime behind a socket. */
export interface Subject {
  readonly name: string
  /** Name and version as the runtime says. */
  readonly version: string
  readonly cri: Cri
  readonly socketPath: string
  /** Its directories; a peer by socket has logs and cgroups here. */
  readonly scratch: Scratch
  /** A busybox, pulled. */
  readonly image: string
  /** Runtime handler that starts nothing (fake-runtime.c); undefined if it cannot be configured. */
  readonly fakeHandler: string | undefined
  /** undefined: the bench did not start it. */
  readonly restart: Restart | undefined
  /** Serves an image; answers the reference by which this runtime can pull it. */
  publish(name: string, tag: string, image: BuiltImage): string
  daemonPid(): Promise<number>
  /** Removes all pods that the bench made here. */
  clear(): Promise<void>
  close(): Promise<void>
}

export interface Restart {
  /** Ends the daemon without a word; pods go on. */
  kill(): Promise<void>
  /** Settles some time after it answers. */
  start(): Promise<void>
}

/** On all pods of the bench. */
export const benchLabel = 'lighter.bench'

/** A pod with a name of its own. */
export function benchPod(subject: Subject, overrides: PodOverrides = {}): PodConfig {
  return podConfig(subject.scratch, {
    name: `bench-${randomBytes(4).toString('hex')}`,
    labels: { [benchLabel]: subject.scratch.networkName },
    ...overrides,
  })
}
