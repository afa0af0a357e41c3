import type { IdMapping, NamespaceMode, NamespaceOptions, UserNamespace } from '#engine/model/linux'
import { v1 } from '#proto'
import { invalid, plainText } from './fields.ts'

/** Namespaces as asked for; what is not given is shared with the pod, as the zero values of the interface say. */
export function toNamespaces(
  input: v1.NamespaceOption.$Properties | null | undefined,
  field: string,
): NamespaceOptions {
  const namespaces = {
    network: podOrNode(input?.network, `${field}.network`),
    pid: toMode(input?.pid, `${field}.pid`),
    ipc: podOrNode(input?.ipc, `${field}.ipc`),
    targetId: plainText(input?.targetId, `${field}.target_id`),
    user: toUserNamespace(input?.usernsOptions, `${field}.userns_options`),
  }
  if (namespaces.pid === 'target' && namespaces.targetId === '') {
    throw invalid(`${field}.target_id is required when pid is TARGET`)
  }
  return namespaces
}

export function fromNamespaces(namespaces: NamespaceOptions): v1.NamespaceOption.$Properties {
  const { user } = namespaces
  return {
    network: fromMode(namespaces.network),
    pid: fromMode(namespaces.pid),
    ipc: fromMode(namespaces.ipc),
    targetId: namespaces.targetId,
    ...(user && { usernsOptions: { mode: fromMode(user.mode), uids: [...user.uids], gids: [...user.gids] } }),
  }
}

function toMode(mode: v1.NamespaceMode | null | undefined, field: string): NamespaceMode {
  const number = mode ?? v1.NamespaceMode.POD
  switch (number) {
    case v1.NamespaceMode.POD:
      return 'pod'
    case v1.NamespaceMode.CONTAINER:
      return 'container'
    case v1.NamespaceMode.NODE:
      return 'node'
    case v1.NamespaceMode.TARGET:
      return 'target'
  }
  throw invalid(`${field} is not a namespace mode: ${String(number)}`)
}

function fromMode(mode: NamespaceMode): v1.NamespaceMode {
  switch (mode) {
    case 'pod':
      return v1.NamespaceMode.POD
    case 'container':
      return v1.NamespaceMode.CONTAINER
    case 'node':
      return v1.NamespaceMode.NODE
    case 'target':
      return v1.NamespaceMode.TARGET
  }
}

function podOrNode(mode: v1.NamespaceMode | null | undefined, field: string): NamespaceMode {
  const name = toMode(mode, field)
  if (name !== 'pod' && name !== 'node') throw invalid(`${field} can only be POD or NODE`)
  return name
}

/** The kubelet gives exactly one mapping each, from container id 0; nothing else can be mounted with one idmap. */
function toUserNamespace(
  input: v1.UserNamespace.$Properties | null | undefined,
  field: string,
): UserNamespace | undefined {
  if (!input) return undefined
  const mode = podOrNode(input.mode, `${field}.mode`)
  const uids = toIdMappings(input.uids)
  const gids = toIdMappings(input.gids)
  if (mode === 'pod') {
    requireOneFromZero(uids, `${field}.uids`)
    requireOneFromZero(gids, `${field}.gids`)
  }
  return { mode, uids, gids }
}

export function toIdMappings(
  input: readonly v1.IDMapping.$Properties[] | null | undefined,
): readonly IdMapping[] {
  return (input ?? []).map(mapping => ({
    hostId: mapping.hostId ?? 0,
    containerId: mapping.containerId ?? 0,
    length: mapping.length ?? 0,
  }))
}

function requireOneFromZero(mappings: readonly IdMapping[], field: string): void {
  const [first, ...others] = mappings
  if (!first || others.length > 0) throw invalid(`${field} must hold exactly one mapping`)
  if (first.containerId !== 0) throw invalid(`${field} must map container id 0, not ${first.containerId}`)
  if (first.length === 0) throw invalid(`${field} maps no ids: length is 0`)
}
