import { asChainId, type ChainId, type Digest } from '#base/ids'
import { digestOf } from '../content/blobs.ts'

/** Chain id of every prefix of a stack of layers, bottom first (OCI image spec, config.md, Layer ChainID). */
export function chainIdsOf(diffIds: readonly Digest[]): readonly ChainId[] {
  const chainIds: ChainId[] = []
  for (const diffId of diffIds) {
    const parent = chainIds.at(-1)
    chainIds.push(
      asChainId(parent === undefined ? diffId : digestOf(new TextEncoder().encode(`${parent} ${diffId}`))),
    )
  }
  return chainIds
}
