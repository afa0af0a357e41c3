import * as v from 'valibot'
import type { Pod } from '../model/pod.ts'
import * as s from './record-schema.ts'

const podRecordVersion = 1

const podConfig = v.object({
  metadata: v.object({ name: v.string(), uid: v.string(), namespace: v.string(), attempt: s.integer }),
  hostname: v.string(),
  logDirectory: v.string(),
  dns: s.maybe(v.object({ servers: s.texts, searches: s.texts, options: s.texts })),
  portMappings: v.array(
    v.object({
      protocol: v.picklist(['tcp', 'udp', 'sctp']),
      containerPort: s.integer,
      hostPort: s.integer,
      hostIp: v.string(),
    }),
  ),
  labels: s.textMap,
  annotations: s.textMap,
  cgroupParent: v.string(),
  namespaces: s.namespaceOptions,
  sysctls: s.textMap,
  isPrivileged: v.boolean(),
  seccomp: s.maybe(s.securityProfile),
  selinux: s.maybe(s.selinuxOptions),
  overhead: s.maybe(s.linuxResources),
  resources: s.maybe(s.linuxResources),
})

const podRecord = v.object({
  id: s.podId,
  owner: s.owner,
  config: podConfig,
  runtimeHandler: v.string(),
  phase: v.picklist(['creating', 'ready', 'stopping', 'notready', 'removing']),
  stage: v.string(),
  createdAtNs: s.nanoseconds,
  network: v.object({ ips: s.texts }),
  isNetworkAttached: v.boolean(),
  pausePid: s.maybe(s.integer),
  selinuxLevel: v.optional(v.string()),
})

export function encodePod(pod: Pod): unknown {
  return s.encodeRecord(podRecordVersion, pod)
}

/** Throws if the JSON is not a pod record of a version that this program knows. */
export function decodePod(json: unknown): Pod {
  s.checkVersion(podRecordVersion, json)
  return v.parse(podRecord, json)
}
