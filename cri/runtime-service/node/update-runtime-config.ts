import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** The pod CIDR is for runtimes that write their own CNI configuration; the network plugin's is used here. */
export function updateRuntimeConfig(): Handler<typeof runtimeMethods.UpdateRuntimeConfig> {
  return () => ({})
}
