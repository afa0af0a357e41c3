import type { ContainerStatus } from './configs.ts'
import { containerState } from './configs.ts'
import type { Cri } from './cri.ts'
import { eventually } from './eventually.ts'

/** Status of a container as soon as it has exited. */
export async function exited(cri: Cri, containerId: string, timeoutMs?: number): Promise<ContainerStatus> {
  return eventually(
    `container ${containerId} exits`,
    async () => {
      const status = await cri.containerStatus(containerId)
      return status.state === containerState.CONTAINER_EXITED ? status : undefined
    },
    timeoutMs,
  )
}

export function startedAt(status: ContainerStatus): bigint {
  return BigInt(String(status.startedAt ?? 0))
}

export function finishedAt(status: ContainerStatus): bigint {
  return BigInt(String(status.finishedAt ?? 0))
}
