import { posix } from 'node:path'
import { RuntimeError } from '#base/errors'
import { findDevices } from '../../host/devices.ts'
import { withHooks } from '../spec/hooks.ts'
import { sortedMounts } from '../spec/mounts.ts'
import type { DeviceRuleSpec, DeviceSpec, MountSpec, Spec } from '../spec/types.ts'
import type { CdiDeviceNode, CdiMount, ContainerEdits } from './cdi-spec.ts'

/** What the OCI runtimes take when a node has no mode. */
const defaultMode = 0o666

/**
 * The spec of a container with the edits of its devices; of two for the same thing the later one counts. Looks at
 * the host's nodes for what the edits leave open. Errors: `not-found`, `failed-precondition` name the device node.
 */
export async function applyEdits(spec: Spec, edits: readonly ContainerEdits[]): Promise<Spec> {
  let edited = spec
  for (const edit of edits) edited = await applyOne(edited, edit)
  return edited
}

async function applyOne(spec: Spec, edits: ContainerEdits): Promise<Spec> {
  const { process, linux } = spec
  const nodes = await Promise.all(edits.deviceNodes.map(node => hostNode(node, process.user.uid)))
  const paths = new Set(nodes.map(node => node.path))
  const gids = edits.additionalGids.filter(gid => gid !== 0)
  const edited: Spec = {
    ...spec,
    process: {
      ...process,
      env: withVariables(process.env, edits.env),
      user: { ...process.user, additionalGids: [...new Set([...process.user.additionalGids, ...gids])] },
    },
    mounts: withMounts(spec.mounts, edits.mounts),
    linux: {
      ...linux,
      devices: [...linux.devices.filter(device => !paths.has(device.path)), ...nodes],
      resources: {
        ...linux.resources,
        devices: [
          ...linux.resources.devices,
          ...nodes.map((node, index) => ruleOf(node, edits.deviceNodes[index])),
        ],
      },
    },
  }
  return edits.hooks.reduce((current, { stage, hook }) => withHooks(current, { [stage]: [hook] }), edited)
}

function ruleOf(node: DeviceSpec, wanted: CdiDeviceNode | undefined): DeviceRuleSpec {
  const { type, major, minor } = node
  return { allow: true, type, major, minor, access: wanted?.permissions ?? 'rwm' }
}

async function hostNode(wanted: CdiDeviceNode, processUid: number): Promise<DeviceSpec> {
  const { path, uid, gid } = wanted
  const [type, major, minor] = await nodeNumber(wanted)
  return {
    path,
    type,
    major,
    minor,
    fileMode: wanted.fileMode === undefined ? defaultMode : wanted.fileMode & 0o777,
    uid: uid ?? processUid,
    gid: gid ?? 0,
  }
}

async function nodeNumber(wanted: CdiDeviceNode): Promise<readonly [DeviceSpec['type'], number, number]> {
  const { type, major, minor, hostPath } = wanted
  if (type !== undefined && major) return [type, major, minor ?? 0]
  const [found] = await findDevices(hostPath)
  if (!found) throw new RuntimeError('failed-precondition', `CDI device node ${hostPath} is not a device`)
  const isOther = type !== undefined && type !== found.type
  if (isOther || found.path !== hostPath) {
    throw new RuntimeError(
      'failed-precondition',
      `CDI device node ${hostPath} is not a device of type ${type ?? 'b or c'}`,
    )
  }
  return [type ?? found.type, major ?? found.major, major === undefined ? found.minor : (minor ?? 0)]
}

function withVariables(env: readonly string[], added: readonly string[]): readonly string[] {
  const nameOf = (entry: string): string => entry.slice(0, entry.indexOf('='))
  const variables = new Map([...env, ...added].map(entry => [nameOf(entry), entry]))
  return [...variables.values()]
}

function withMounts(mounts: readonly MountSpec[], added: readonly CdiMount[]): readonly MountSpec[] {
  if (added.length === 0) return mounts
  const byDestination = new Map(mounts.map(mount => [mount.destination, mount]))
  for (const mount of added) {
    const destination = posix.normalize(mount.containerPath).replace(/(.)\/$/, '$1')
    byDestination.set(destination, mountSpec(mount, destination))
  }
  return sortedMounts([...byDestination.values()])
}

function mountSpec({ hostPath, type, options }: CdiMount, destination: string): MountSpec {
  const isBind = type === '' || type === 'bind'
  const hasBind = options.includes('bind') || options.includes('rbind')
  return {
    destination,
    type: isBind ? 'bind' : type,
    source: hostPath,
    options: isBind && !hasBind ? ['rbind', ...options] : options,
  }
}
