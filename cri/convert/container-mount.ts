import type { ContainerMount, MountPropagation } from '#engine/model/container'
import { v1 } from '#proto'
import { invalid, plainText, plainTexts, requiredText } from './fields.ts'
import { toIdMappings } from './namespaces.ts'

export function toMount(input: v1.Mount.$Properties, index: number): ContainerMount {
  const field = `config.mounts[${index}]`
  const mount: ContainerMount = {
    containerPath: requiredText(input.containerPath, `${field}.container_path`),
    hostPath: plainText(input.hostPath, `${field}.host_path`),
    isReadOnly: input.readonly ?? false,
    isRecursiveReadOnly: input.recursiveReadOnly ?? false,
    isSelinuxRelabeled: input.selinuxRelabel ?? false,
    propagation: toPropagation(input.propagation, `${field}.propagation`),
    uidMappings: toIdMappings(input.uidMappings),
    gidMappings: toIdMappings(input.gidMappings),
    image: plainText(input.image?.image, `${field}.image`),
    imageSubPath: plainText(input.imageSubPath, `${field}.image_sub_path`),
    options: plainTexts(input.mountOptions, `${field}.mount_options`),
  }
  if (mount.hostPath === '' && mount.image === '') throw invalid(`${field}.host_path is required`)
  refuseContradictions(mount, field)
  return mount
}

/** What the interface calls an error in a recursive read-only mount. */
function refuseContradictions(mount: ContainerMount, field: string): void {
  if (!mount.isRecursiveReadOnly) return
  if (!mount.isReadOnly) throw invalid(`${field}: recursive_read_only needs readonly`)
  if (mount.propagation !== 'private') {
    throw invalid(`${field}: recursive_read_only needs PROPAGATION_PRIVATE`)
  }
}

/**
 * Exactly what was asked for: the kubelet finds the termination message by looking a mount up. For an image, too, with
 * what PullImage answers for it as image_ref (KEP-5365).
 */
export function fromMount(mount: ContainerMount, imageId: string): v1.Mount.$Properties {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.isReadOnly,
    recursiveReadOnly: mount.isRecursiveReadOnly,
    selinuxRelabel: mount.isSelinuxRelabeled,
    propagation: fromPropagation(mount.propagation),
    uidMappings: [...mount.uidMappings],
    gidMappings: [...mount.gidMappings],
    ...(mount.image && { image: { image: mount.image, imageRef: imageId } }),
    imageSubPath: mount.imageSubPath,
    mountOptions: [...mount.options],
  }
}

function toPropagation(mode: v1.MountPropagation | null | undefined, field: string): MountPropagation {
  const number = mode ?? v1.MountPropagation.PROPAGATION_PRIVATE
  switch (number) {
    case v1.MountPropagation.PROPAGATION_PRIVATE:
      return 'private'
    case v1.MountPropagation.PROPAGATION_HOST_TO_CONTAINER:
      return 'host-to-container'
    case v1.MountPropagation.PROPAGATION_BIDIRECTIONAL:
      return 'bidirectional'
  }
  throw invalid(`${field} is not a mount propagation: ${String(number)}`)
}

function fromPropagation(propagation: MountPropagation): v1.MountPropagation {
  switch (propagation) {
    case 'private':
      return v1.MountPropagation.PROPAGATION_PRIVATE
    case 'host-to-container':
      return v1.MountPropagation.PROPAGATION_HOST_TO_CONTAINER
    case 'bidirectional':
      return v1.MountPropagation.PROPAGATION_BIDIRECTIONAL
  }
}
