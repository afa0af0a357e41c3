import { posix } from 'node:path'
import type { DnsConfig, PodConfig, PodMetadata, PortMapping, PortProtocol } from '#engine/model/pod'
import { v1 } from '#proto'
import { invalid, plainText, plainTexts, required, requiredText, textMap } from './fields.ts'
import { toResources, toSeccompProfile, toSelinux } from './linux.ts'
import { toNamespaces } from './namespaces.ts'

const maxPort = 65_535

/** PodSandboxConfig as the engine has it. */
export function toPodConfig(input: v1.PodSandboxConfig.$Properties | null | undefined): PodConfig {
  const config = required(input, 'config')
  const linux = config.linux ?? {}
  const security = linux.securityContext ?? {}
  const namespaces = toNamespaces(
    security.namespaceOptions,
    'config.linux.security_context.namespace_options',
  )
  if (namespaces.pid === 'target') throw invalid('the pid namespace of a pod sandbox cannot be TARGET')
  return {
    metadata: toPodMetadata(config.metadata),
    hostname: plainText(config.hostname, 'config.hostname'),
    logDirectory: toLogDirectory(config.logDirectory),
    dns: toDns(config.dnsConfig),
    portMappings: (config.portMappings ?? []).map(toPortMapping),
    labels: textMap(config.labels),
    annotations: textMap(config.annotations),
    cgroupParent: plainText(linux.cgroupParent, 'config.linux.cgroup_parent'),
    namespaces,
    sysctls: toSysctls(linux.sysctls),
    isPrivileged: security.privileged ?? false,
    seccomp: toSeccompProfile({
      profile: security.seccomp,
      deprecated: security.seccompProfilePath,
      field: 'config.linux.security_context.seccomp',
    }),
    selinux: toSelinux(security.selinuxOptions, 'config.linux.security_context.selinux_options'),
    overhead: toResources(linux.overhead, 'config.linux.overhead'),
    resources: toResources(linux.resources, 'config.linux.resources'),
  }
}

/** A relative one would be below wherever the daemon was started. */
function toLogDirectory(input: string | null | undefined): string {
  const path = plainText(input, 'config.log_directory')
  if (path !== '' && !posix.isAbsolute(path)) {
    throw invalid(`config.log_directory is not an absolute path: "${path}"`)
  }
  return path
}

/** The kubelet takes no status without name, namespace and uid, so no pod can be without them. */
function toPodMetadata(input: v1.PodSandboxMetadata.$Properties | null | undefined): PodMetadata {
  const metadata = required(input, 'config.metadata')
  return {
    name: requiredText(metadata.name, 'config.metadata.name'),
    uid: requiredText(metadata.uid, 'config.metadata.uid'),
    namespace: requiredText(metadata.namespace, 'config.metadata.namespace'),
    attempt: metadata.attempt ?? 0,
  }
}

function toDns(input: v1.DNSConfig.$Properties | null | undefined): DnsConfig | undefined {
  if (!input) return undefined
  return {
    servers: plainTexts(input.servers, 'config.dns_config.servers'),
    searches: plainTexts(input.searches, 'config.dns_config.searches'),
    options: plainTexts(input.options, 'config.dns_config.options'),
  }
}

function toPortMapping(input: v1.PortMapping.$Properties, index: number): PortMapping {
  const field = `config.port_mappings[${index}]`
  return {
    protocol: toProtocol(input.protocol, `${field}.protocol`),
    containerPort: toPort(input.containerPort, `${field}.container_port`),
    hostPort: toPort(input.hostPort, `${field}.host_port`),
    hostIp: plainText(input.hostIp, `${field}.host_ip`),
  }
}

function toPort(port: number | null | undefined, field: string): number {
  const number = port ?? 0
  if (number < 0 || number > maxPort) throw invalid(`${field} is not a port: ${number}`)
  return number
}

function toProtocol(protocol: v1.Protocol | null | undefined, field: string): PortProtocol {
  const number = protocol ?? v1.Protocol.TCP
  switch (number) {
    case v1.Protocol.TCP:
      return 'tcp'
    case v1.Protocol.UDP:
      return 'udp'
    case v1.Protocol.SCTP:
      return 'sctp'
  }
  throw invalid(`${field} is not a protocol: ${String(number)}`)
}

function toSysctls(input: Readonly<Record<string, string>> | null | undefined): PodConfig['sysctls'] {
  const sysctls = textMap(input)
  for (const [key, value] of Object.entries(sysctls)) {
    requiredText(key, 'the name of a sysctl')
    plainText(value, `config.linux.sysctls["${key}"]`)
  }
  return sysctls
}
