import type { DoorDeps } from '../../door.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** In the API this is the prefix of every container id: it never changes. */
const runtimeName = 'lighter'
/** Version of the kubelet's side of the interface; the kubelet has always sent and expected this one. */
const kubeletApiVersion = '0.1.0'
const runtimeApiVersion = 'v1'

export function version({ version }: DoorDeps): Handler<typeof runtimeMethods.Version> {
  return () => ({ version: kubeletApiVersion, runtimeName, runtimeVersion: version, runtimeApiVersion })
}
