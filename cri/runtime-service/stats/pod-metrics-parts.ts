import type { Ctx } from '#base/context'
import type { Engine } from '#engine/engine'
import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'
import type { PodMetrics } from '#engine/model/stats'
import { v1 } from '#proto'
import { fromPodMetrics } from '../../convert/metrics.ts'
import { createBatchEncoder, type EncodedMessage } from '../../grpc/encoded-message.ts'
import { containersById, podsById } from './objects-by-id.ts'

interface Item {
  readonly pod: Pod
  readonly metrics: PodMetrics
  readonly containers: ReadonlyMap<string, Container>
}

/**
 * The metrics of all ready pods, in messages that are made one by one as they are asked for: hundreds of containers
 * have megabytes of them. Pods that go away while they are being looked at are left out.
 */
export async function podMetricsParts(ctx: Ctx, engine: Engine): Promise<Iterable<EncodedMessage>> {
  const found = await engine.stats.metrics(ctx)
  const pods = podsById(engine)
  const containers = containersById(engine, {})
  const encode = createBatchEncoder<Item>(item =>
    v1.PodSandboxMetrics.encode(fromPodMetrics(item.pod, item.metrics, item.containers)).finish(),
  )
  return encode(
    found.flatMap(metrics => {
      const pod = pods.get(metrics.stats.id)
      return pod ? [{ pod, metrics, containers }] : []
    }),
  )
}
