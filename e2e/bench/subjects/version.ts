import { runtimeMethods } from '../../../cri/grpc/methods.ts'
import type { Cri } from '../../harness/cri.ts'

const versionTimeoutMs = 10_000

export async function versionOf({ client }: Cri): Promise<string> {
  const { runtimeName, runtimeVersion } = await client.call(
    runtimeMethods.Version,
    {},
    { timeoutMs: versionTimeoutMs },
  )
  return `${runtimeName} ${runtimeVersion}`
}
