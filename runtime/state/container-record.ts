import * as v from 'valibot'
import type { Container } from '../model/container.ts'
import * as s from './record-schema.ts'

const containerRecordVersion = 1

const mount = v.object({
  containerPath: v.string(),
  hostPath: v.string(),
  isReadOnly: v.boolean(),
  isRecursiveReadOnly: v.boolean(),
  isSelinuxRelabeled: v.boolean(),
  propagation: v.picklist(['private', 'host-to-container', 'bidirectional']),
  uidMappings: s.idMappings,
  gidMappings: s.idMappings,
  image: v.string(),
  imageSubPath: v.string(),
  options: s.texts,
})

const security = v.object({
  capabilities: v.object({ add: s.texts, drop: s.texts, addAmbient: s.texts }),
  isPrivileged: v.boolean(),
  namespaces: s.namespaceOptions,
  selinux: s.maybe(s.selinuxOptions),
  runAsUser: s.maybe(s.integer),
  runAsGroup: s.maybe(s.integer),
  runAsUsername: v.string(),
  isRootReadOnly: v.boolean(),
  supplementalGroups: v.array(s.integer),
  supplementalGroupsPolicy: v.picklist(['merge', 'strict']),
  hasNoNewPrivileges: v.boolean(),
  maskedPaths: s.texts,
  readonlyPaths: s.texts,
  seccomp: s.maybe(s.securityProfile),
  apparmor: s.maybe(s.securityProfile),
})

const containerConfig = v.object({
  metadata: v.object({ name: v.string(), attempt: s.integer }),
  image: v.string(),
  userSpecifiedImage: v.string(),
  command: s.texts,
  args: s.texts,
  workingDir: v.string(),
  envs: v.array(v.object({ key: v.string(), value: v.string() })),
  mounts: v.array(mount),
  devices: v.array(v.object({ containerPath: v.string(), hostPath: v.string(), permissions: v.string() })),
  cdiDevices: s.texts,
  labels: s.textMap,
  annotations: s.textMap,
  logPath: v.string(),
  hasStdin: v.boolean(),
  isStdinOnce: v.boolean(),
  hasTty: v.boolean(),
  stopSignal: v.string(),
  resources: s.maybe(s.linuxResources),
  security,
})

const containerRecord = v.object({
  id: s.containerId,
  podId: s.podId,
  owner: s.owner,
  config: containerConfig,
  imageId: s.digest,
  imageRef: v.string(),
  mountedImages: v.optional(v.array(v.object({ containerPath: v.string(), imageId: s.digest })), []),
  phase: v.picklist(['creating', 'created', 'starting', 'running', 'exited', 'removing']),
  stage: v.string(),
  createdAtNs: s.nanoseconds,
  startedAtNs: s.nanoseconds,
  finishedAtNs: s.nanoseconds,
  pid: s.maybe(s.integer),
  exit: s.maybe(v.object({ exitCode: s.integer, reason: v.string(), message: v.string() })),
  user: v.object({ uid: s.integer, gid: s.integer, supplementalGroups: v.array(s.integer) }),
  stopSignal: v.string(),
  logPath: v.string(),
  cgroupsPath: v.string(),
  resources: s.maybe(s.linuxResources),
  checkpointImages: v.optional(v.string()),
})

export function encodeContainer(container: Container): unknown {
  return s.encodeRecord(containerRecordVersion, container)
}

/** Throws if the JSON is not a container record of a version that this program knows. */
export function decodeContainer(json: unknown): Container {
  s.checkVersion(containerRecordVersion, json)
  return v.parse(containerRecord, json)
}
