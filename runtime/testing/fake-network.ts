import { throwIfAborted } from '#base/context'
import { RuntimeError } from '#base/errors'
import type { Attachment, NetworkService } from '#cni/network'

/** Networks in memory: addresses 10.0.0.2 and up; ADD and DEL fail while a test says so. */
export interface FakeNetwork extends NetworkService {
  /** Ids with an address. */
  readonly attached: ReadonlyMap<string, Attachment>
  /** `half`: ADD fails after it has leased an address. */
  addFails: 'no' | 'at once' | 'half'
  delFails: boolean
  readonly dels: readonly Attachment[]
}

export function createFakeNetwork(): FakeNetwork {
  const attached = new Map<string, Attachment>()
  const dels: Attachment[] = []
  const network: FakeNetwork = {
    attached,
    dels,
    addFails: 'no',
    delFails: false,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    async add(ctx, attachment) {
      await Promise.resolve()
      throwIfAborted(ctx)
      if (network.addFails !== 'at once') attached.set(attachment.containerId, attachment)
      if (network.addFails !== 'no') throw new RuntimeError('internal', 'plugin "bridge" failed')
      return { ips: [`10.0.0.${attached.size + 1}`] }
    },
    async del(_ctx, attachment) {
      await Promise.resolve()
      dels.push(attachment)
      if (network.delFails) throw new RuntimeError('internal', 'plugin "bridge" failed')
      attached.delete(attachment.containerId)
    },
    check: () => Promise.resolve(),
    async gc(ctx, validIds) {
      for (const [id, attachment] of attached) if (!validIds.has(id)) await network.del(ctx, attachment)
    },
    isAttached: id => attached.has(id),
    attachedIds: () => [...attached.keys()],
    condition: () => ({ isReady: true, message: '' }),
  }
  return network
}
