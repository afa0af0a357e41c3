import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RpcObserver } from '../grpc/handler.ts'
import { grpcCode } from '../grpc/status.ts'
import { durationBuckets } from './buckets.ts'

/** Names of the status codes as gRPC has them: OK, NotFound. */
const codeNames = new Map<number, string>(
  Object.entries(grpcCode).map(([name, code]) => [
    code,
    code === grpcCode.ok ? 'OK' : name.replace(/^./, first => first.toUpperCase()),
  ]),
)

/** Every RPC, by its name. */
export function createRpcMetrics(registry: Registry): RpcObserver {
  const registers = [registry]
  const requests = new Counter({
    name: 'lighter_cri_requests_total',
    help: 'RPCs that ended, by gRPC status code.',
    labelNames: ['method', 'code'],
    registers,
  })
  const durations = new Histogram({
    name: 'lighter_cri_request_duration_seconds',
    help: 'Time from the request to the answer; RPCs with a stream of answers are not in it.',
    labelNames: ['method'],
    buckets: [...durationBuckets],
    registers,
  })
  const inFlight = new Gauge({
    name: 'lighter_cri_requests_in_flight',
    help: 'RPCs that are being served, open streams of answers included.',
    labelNames: ['method'],
    registers,
  })
  return {
    began({ name }) {
      inFlight.inc({ method: name })
    },
    ended({ name, isServerStream, code, ms }) {
      inFlight.dec({ method: name })
      requests.inc({ method: name, code: codeNames.get(code) ?? 'Unknown' })
      if (!isServerStream) durations.observe({ method: name }, ms / 1000)
    },
  }
}
