import type { PodId } from '#base/ids'
import type { ContainerMetadata } from '../model/container.ts'

/** The identity of a container within a node as one text. */
export function containerName(podId: PodId, metadata: ContainerMetadata): string {
  return `${podId}/${encodeURIComponent(metadata.name)}/${metadata.attempt}`
}
