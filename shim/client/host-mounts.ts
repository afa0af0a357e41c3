import type { Ctx } from '#base/context'
import type { BindMount, Host, IdMapping, IdMappings, MountAttribute, OverlayMount } from './host.ts'
import type { Ask } from './lighter-host.ts'
import { type FieldValue, frameTypes, tags } from './protocol.ts'

type Fields = readonly (readonly [tag: number, value: FieldValue])[]

/** Flags of BIND and MOUNT_OVERLAY (shim/PROTOCOL.md). */
const mountFlags = { recursive: 2, allLikeTop: 32, slave: 64 } as const
const attributeFlags: Readonly<Record<MountAttribute, number>> = { ro: 1, noexec: 4, nodev: 8, nosuid: 16 }

export function mountCalls(ask: Ask): Pick<Host, 'mountOverlay' | 'bind' | 'unmount'> {
  return {
    mountOverlay: (ctx, mount) => mountOverlay(ask, ctx, mount),
    bind: (ctx, mount) => bind(ask, ctx, mount),
    async unmount(ctx, paths) {
      if (paths.length === 0) return
      await ask(ctx, {
        type: frameTypes.unmount,
        fields: paths.map(path => [tags.path, path]),
        what: `unmounting ${paths.join(', ')}`,
      })
    },
  }
}

async function mountOverlay(ask: Ask, ctx: Ctx, mount: OverlayMount): Promise<void> {
  await ask(ctx, {
    type: frameTypes.mountOverlay,
    fields: overlayFields(mount),
    what: `the overlay mount on ${mount.target}`,
    ...(mount.subPath === undefined ? {} : { kinds: { ELOOP: 'not-found', ENOTDIR: 'not-found' } }),
  })
}

function overlayFields(mount: OverlayMount): Fields {
  const optional = [
    [tags.upper, mount.upper],
    [tags.work, mount.work],
    [tags.options, mount.options],
    [tags.subPath, mount.subPath],
  ] as const
  return [
    [tags.directory, mount.directory],
    ...mount.layers.map(layer => [tags.layer, layer] as const),
    [tags.path, mount.target],
    [tags.flags, attributesOf(mount.attributes)],
    ...idMappingFields(mount.idMappings),
    ...optional.flatMap(([tag, value]) => (value === undefined ? [] : [[tag, value] as const])),
  ]
}

async function bind(ask: Ask, ctx: Ctx, mount: BindMount): Promise<void> {
  const flags =
    attributesOf(mount.attributes) |
    (mount.isRecursive ? mountFlags.recursive : 0) |
    (mount.hasAttributesBelow ? mountFlags.allLikeTop : 0) |
    (mount.isSlave ? mountFlags.slave : 0)
  await ask(ctx, {
    type: frameTypes.bind,
    fields: [
      [tags.source, mount.source],
      [tags.path, mount.target],
      [tags.flags, flags],
      ...idMappingFields(mount.idMappings),
    ],
    what: `the bind mount on ${mount.target}`,
    kinds: { EINVAL: 'failed-precondition', ELOOP: 'failed-precondition' },
  })
}

function attributesOf(attributes: readonly MountAttribute[] | undefined): number {
  return (attributes ?? []).reduce((flags, name) => flags | attributeFlags[name], 0)
}

/** Fields of SANDBOX, BIND and MOUNT_OVERLAY. */
export function idMappingFields(mappings: IdMappings | undefined): Fields {
  const text = ({ containerId, hostId, length }: IdMapping): string => `${containerId} ${hostId} ${length}`
  return [
    ...(mappings?.uids ?? []).map(one => [tags.uidMapping, text(one)] as const),
    ...(mappings?.gids ?? []).map(one => [tags.gidMapping, text(one)] as const),
  ]
}
