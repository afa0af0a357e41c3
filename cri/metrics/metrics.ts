import type { EngineObserver } from '#engine/model/observer'
import type { RpcObserver } from '../grpc/handler.ts'
import type { NodeSources } from './node-metrics.ts'

/** What counts, and shows it. */
export interface Metrics {
  readonly rpcs: RpcObserver
  readonly engine: EngineObserver
  /** Serves /metrics. Errors: `failed-precondition` if it cannot listen. The caller stops it. */
  serve(sources: NodeSources): Promise<{ stop(): Promise<void> }>
}
