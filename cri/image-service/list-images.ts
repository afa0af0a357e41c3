import type { Image } from '#engine/model/image'
import { v1 } from '#proto'
import { fromImage } from '../convert/image.ts'
import type { DoorDeps } from '../door.ts'
import { createListEncoder } from '../grpc/encoded-message.ts'
import type { Handler } from '../grpc/handler.ts'
import type { imageMethods } from '../grpc/methods.ts'

/** The filter is any name or id of an image. */
export function listImages({ engine }: DoorDeps): Handler<typeof imageMethods.ListImages> {
  const encode = createListEncoder<Image>(image => v1.Image.encode(fromImage(image)).finish())
  return (_ctx, request) => {
    const reference = request.filter?.image?.image
    return encode(reference ? engine.images.list(reference) : engine.images.list())
  }
}
