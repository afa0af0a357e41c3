import type { PodMetadata } from '../model/pod.ts'

/** The identity of a pod sandbox as one text: no part may hold the separator's place of another. */
export function podName(metadata: PodMetadata): string {
  return [metadata.name, metadata.namespace, metadata.uid, String(metadata.attempt)]
    .map(encodeURIComponent)
    .join('/')
}
