import { isDigest } from '#base/ids'
import type { Engine } from '#engine/engine'
import type { Container } from '#engine/model/container'

/** The kubelet creates containers by image id; a user knows the name that was asked for, or a tag. */
export function imageName(engine: Engine, container: Container): string {
  const { image, userSpecifiedImage } = container.config
  if (userSpecifiedImage !== '') return userSpecifiedImage
  if (!isDigest(image)) return image
  return engine.images.find(container.imageId)?.repoTags[0] ?? image
}
