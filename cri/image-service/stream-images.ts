import type { Image } from '#engine/model/image'
import { v1 } from '#proto'
import { fromImage } from '../convert/image.ts'
import type { DoorDeps } from '../door.ts'
import { createBatchEncoder } from '../grpc/encoded-message.ts'
import type { StreamHandler } from '../grpc/handler.ts'
import type { imageMethods } from '../grpc/methods.ts'

/** ListImages in parts: the images as they are when the call comes. */
export function streamImages({ engine }: DoorDeps): StreamHandler<typeof imageMethods.StreamImages> {
  const encode = createBatchEncoder<Image>(image => v1.Image.encode(fromImage(image)).finish())
  return (_ctx, request) => {
    const reference = request.filter?.image?.image
    return encode(reference ? engine.images.list(reference) : engine.images.list())
  }
}
