import { metricDescriptors } from '../../convert/metrics.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Asked for once, when a kubelet starts; the same on every node. */
export function listMetricDescriptors(): Handler<typeof runtimeMethods.ListMetricDescriptors> {
  return () => ({ descriptors: metricDescriptors() })
}
