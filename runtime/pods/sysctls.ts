import { RuntimeError } from '#base/errors'
import type { PodConfig } from '../model/pod.ts'

/** Sysctls of the IPC namespace (kernel, Documentation/admin-guide/sysctl/kernel.rst; namespaces(7)). */
const ipcSysctls = /^(kernel\.(shm|msg|sem)[a-z_]*|fs\.mqueue\..+)$/
const netSysctls = /^net\..+$/
/** Let everybody in the pod bind low ports and send pings: its network namespace is its own. */
const openNetwork = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
}

/**
 * The sysctls to set in a new pod's namespaces, `key=value`. Errors: `invalid-argument` for one that is not of a
 * namespace, or of a namespace that the pod shares with the host.
 */
export function podSysctls(config: PodConfig): readonly string[] {
  const hasNetwork = config.namespaces.network === 'pod'
  const asked = Object.fromEntries(
    Object.entries(config.sysctls).map(([key, value]) => [normalKey(key), value] as const),
  )
  for (const key of Object.keys(asked)) checkNamespace(key, config)
  return Object.entries({ ...(hasNetwork ? openNetwork : {}), ...asked }).map(
    ([key, value]) => `${key}=${value}`,
  )
}

/** sysctl(8) accepts net/ipv4/conf/eth0.1/x beside net.ipv4...: the first separator tells which form it is. */
function normalKey(key: string): string {
  const firstSeparator = /[./]/.exec(key)?.[0]
  if (firstSeparator !== '/') return key
  return key.replace(/[./]/g, separator => (separator === '/' ? '.' : '/'))
}

function checkNamespace(key: string, config: PodConfig): void {
  const { network, ipc } = config.namespaces
  const namespace = sysctlNamespace(key)
  if (!namespace) {
    throw new RuntimeError('invalid-argument', `sysctl "${key}" is not namespaced: set it on the node`)
  }
  if (namespace === 'network' ? network !== 'pod' : ipc !== 'pod') {
    throw new RuntimeError(
      'invalid-argument',
      `sysctl "${key}": the pod shares the ${namespace} namespace of the host`,
    )
  }
}

function sysctlNamespace(key: string): 'network' | 'IPC' | undefined {
  if (netSysctls.test(key)) return 'network'
  return ipcSysctls.test(key) ? 'IPC' : undefined
}
