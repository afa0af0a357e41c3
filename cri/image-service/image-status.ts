import { required, requiredText } from '../convert/fields.ts'
import { fromImage } from '../convert/image.ts'
import { imageInfo } from '../convert/verbose-info.ts'
import type { DoorDeps } from '../door.ts'
import type { Handler } from '../grpc/handler.ts'
import type { imageMethods } from '../grpc/methods.ts'

/** An image that is not here is an answer without one, not an error. */
export function imageStatus({ engine }: DoorDeps): Handler<typeof imageMethods.ImageStatus> {
  return (_ctx, request) => {
    const spec = required(request.image, 'image')
    const image = engine.images.find(requiredText(spec.image, 'image.image'))
    if (!image) return {}
    return { image: fromImage(image), ...(request.verbose && { info: imageInfo(image) }) }
  }
}
