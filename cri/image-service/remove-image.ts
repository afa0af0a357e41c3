import { required, requiredText } from '../convert/fields.ts'
import type { DoorDeps } from '../door.ts'
import type { Handler } from '../grpc/handler.ts'
import type { imageMethods } from '../grpc/methods.ts'

/** Removes the image with all its names; one that is not here is fine. */
export function removeImage({ engine }: DoorDeps): Handler<typeof imageMethods.RemoveImage> {
  return async (ctx, request) => {
    const spec = required(request.image, 'image')
    await engine.images.remove(ctx, requiredText(spec.image, 'image.image'))
    return {}
  }
}
