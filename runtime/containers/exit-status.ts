import type { ContainerExit, ShimState } from '#shim/shim'
import type { ExitStatus } from '../model/container.ts'

/** Exit code of a container that the OCI runtime could not start, as containerd has it. */
const startErrorCode = 128
/** Exit code of a container whose shim was killed: nobody saw it end. */
const unknownCode = 255

export interface Ending {
  readonly exit: ExitStatus
  /** 0n: take the time of the record. */
  readonly finishedAtNs: bigint
}

/** What an end as the shim tells it means to a reader (CRI ContainerStatus reason); undefined: nobody saw it. */
export function endingOf(state: ShimState | undefined): Ending {
  switch (state?.kind) {
    case 'exited':
      return { exit: exitStatus(state.exit), finishedAtNs: state.exit.finishedAtNs }
    case 'failed':
      return {
        exit: { exitCode: startErrorCode, reason: 'StartError', message: state.message },
        finishedAtNs: 0n,
      }
    case 'creating':
    case 'running':
    case undefined:
      return {
        exit: { exitCode: unknownCode, reason: 'Unknown', message: 'the shim of the container was lost' },
        finishedAtNs: 0n,
      }
  }
}

function exitStatus({ exitCode, isOomKilled }: ContainerExit): ExitStatus {
  if (exitCode === 0) return { exitCode, reason: 'Completed', message: '' }
  return { exitCode, reason: isOomKilled ? 'OOMKilled' : 'Error', message: '' }
}
