import { RuntimeError } from '#base/errors'
import { capabilityNames } from '../../host/capabilities.ts'
import type { ContainerSecurity } from '../../model/container.ts'
import type { CapabilitySpec } from './types.ts'

/** What a container gets that asks for nothing: the set that Docker made customary. */
const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

/**
 * The five sets of a container's first process. `own` is the daemon's bounding set: ALL and privileged mean
 * that set, a single capability outside of it is `failed-precondition`, a name that Linux does not have
 * `invalid-argument`. ALL is applied before single names, in add as in drop. Only ambient ones are inheritable.
 */
export function containerCapabilities(security: ContainerSecurity, own: ReadonlySet<string>): CapabilitySpec {
  const change = security.capabilities
  const added = capabilityList('add', change.add)
  const dropped = capabilityList('drop', change.drop)
  const ambient = capabilityList('add_ambient_capabilities', change.addAmbient)
  requireOwned([...added.names, ...ambient.names], own)

  const set = new Set(security.isPrivileged || added.hasAll ? own : intersection(defaultCapabilities, own))
  if (dropped.hasAll && !security.isPrivileged) set.clear()
  for (const name of added.names) set.add(name)
  if (!security.isPrivileged) for (const name of dropped.names) set.delete(name)
  for (const name of ambient.names) set.add(name)

  const all = [...set].sort()
  const inherited = ambient.hasAll ? all : [...new Set(ambient.names)].sort()
  return { bounding: all, effective: all, permitted: all, inheritable: inherited, ambient: inherited }
}

interface CapabilityList {
  readonly hasAll: boolean
  readonly names: readonly string[]
}

function capabilityList(field: string, names: readonly string[]): CapabilityList {
  const full = names.map(name => {
    const upper = name.toUpperCase()
    return upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  })
  const single = full.filter(name => name !== 'CAP_ALL')
  const unknown = single.find(name => !capabilityNames.includes(name))
  if (unknown !== undefined) {
    throw new RuntimeError('invalid-argument', `capabilities.${field}: Linux has no capability ${unknown}`)
  }
  return { hasAll: single.length < full.length, names: single }
}

function requireOwned(names: readonly string[], own: ReadonlySet<string>): void {
  const missing = names.find(name => !own.has(name))
  if (missing !== undefined) {
    throw new RuntimeError(
      'failed-precondition',
      `the container asks for ${missing}, which this node's runtime does not have itself`,
    )
  }
}

function intersection(names: readonly string[], own: ReadonlySet<string>): readonly string[] {
  return names.filter(name => own.has(name))
}
