import type { Attachment } from '#cni/network'
import type { Pod } from '../model/pod.ts'

/** The CNI parameters of a pod (CNI_ARGS and capabilities as the kubelet's users know them). */
export function podAttachment(pod: Pod, netnsPath: string): Attachment {
  const { metadata } = pod.config
  return {
    containerId: pod.id,
    netnsPath,
    args: {
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: metadata.namespace,
      K8S_POD_NAME: metadata.name,
      K8S_POD_INFRA_CONTAINER_ID: pod.id,
      K8S_POD_UID: metadata.uid,
    },
    capabilities: podCapabilities(pod),
  }
}

function podCapabilities(pod: Pod): Readonly<Record<string, unknown>> {
  const { config } = pod
  const portMappings = config.portMappings
    .filter(mapping => mapping.hostPort > 0)
    .map(({ hostPort, containerPort, protocol, hostIp }) => ({
      hostPort,
      containerPort,
      protocol,
      ...(hostIp ? { hostIP: hostIp } : {}),
    }))
  const bandwidth = podBandwidth(config.annotations)
  return {
    ...(portMappings.length > 0 ? { portMappings } : {}),
    ...(bandwidth ? { bandwidth } : {}),
    ...(config.dns ? { dns: config.dns } : {}),
    ...(config.cgroupParent ? { cgroupPath: config.cgroupParent } : {}),
    'io.kubernetes.cri.pod-annotations': config.annotations,
  }
}

/** The bandwidth plugin shapes in bits per second and wants a burst; this one never stands in the way. */
const burstBits = 2_147_483_647

function podBandwidth(annotations: Readonly<Record<string, string>>): Record<string, number> | undefined {
  const ingress = quantityBits(annotations['kubernetes.io/ingress-bandwidth'])
  const egress = quantityBits(annotations['kubernetes.io/egress-bandwidth'])
  if (ingress === undefined && egress === undefined) return undefined
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: burstBits }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: burstBits }),
  }
}

const multipliers: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** A Kubernetes quantity such as 10M; undefined if absent or not one (the annotation is free text). */
function quantityBits(text: string | undefined): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)([kMGT]i?|Ki|)$/.exec(text ?? '')
  const multiplier = multipliers[parts?.[2] ?? 'none']
  if (!parts || multiplier === undefined) return undefined
  return Math.round(Number(parts[1]) * multiplier)
}
