import type { Ctx } from '#base/context'
import { RuntimeError, withContext } from '#base/errors'
import type { Host } from '#shim/host'
import type { ContainerMount } from '../model/container.ts'
import type { SpecInput } from './spec/spec-input.ts'

/** What belongs to the node: a label for one container would lock everybody else out. */
const ofNode = new Set(
  [
    '',
    'bin',
    'boot',
    'dev',
    'etc',
    'etc/passwd',
    'etc/shadow',
    'home',
    'lib',
    'lib64',
    'media',
    'mnt',
    'opt',
  ].concat([
    'proc',
    'root',
    'run',
    'sbin',
    'srv',
    'sys',
    'tmp',
    'usr',
    'var',
    'var/lib',
    'var/lib/kubelet',
    'var/tmp',
  ]),
)

interface RelabelInput {
  readonly mounts: readonly ContainerMount[]
  /** What host paths resolved to. */
  readonly sources: ReadonlyMap<string, string>
  readonly podPaths: Pick<SpecInput['podPaths'], 'hosts' | 'hostname' | 'resolvConf' | 'shm'>
  readonly hasPodShm: boolean
  /** Volumes that were made for this container. */
  readonly own: readonly string[]
  readonly label: string
}

/**
 * Gives the volumes that ask for it, and what the pod shares, the label of a container (CRI Mount.selinux_relabel).
 * Errors: `invalid-argument` for a directory of the node.
 */
export async function relabelVolumes(
  ctx: Ctx,
  host: Pick<Host, 'relabel'>,
  input: RelabelInput,
): Promise<void> {
  const { podPaths, label } = input
  const shared = [
    podPaths.hosts,
    podPaths.hostname,
    podPaths.resolvConf,
    ...(input.hasPodShm ? [podPaths.shm] : []),
  ]
  await host.relabel(ctx, [...shared, ...input.own], label)
  for (const mount of input.mounts) {
    if (!mount.isSelinuxRelabeled || mount.image !== '') continue
    const source = input.sources.get(mount.hostPath) ?? mount.hostPath
    if (ofNode.has(source.replace(/^\/+|\/+$/g, ''))) {
      throw new RuntimeError(
        'invalid-argument',
        `mount of "${mount.hostPath}" on "${mount.containerPath}": selinux_relabel of ${source} would harm the node`,
      )
    }
    try {
      await host.relabel(ctx, [source], label)
    } catch (err) {
      throw withContext(`mount of "${mount.hostPath}" on "${mount.containerPath}"`, err)
    }
  }
}
