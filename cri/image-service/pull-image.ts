import { required, requiredText } from '../convert/fields.ts'
import { toRegistryAuth } from '../convert/image.ts'
import type { DoorDeps } from '../door.ts'
import type { Handler } from '../grpc/handler.ts'
import type { imageMethods } from '../grpc/methods.ts'

/** Answers the image id, as every other answer does (the identity rule of CRI 1.36). */
export function pullImage({ engine }: DoorDeps): Handler<typeof imageMethods.PullImage> {
  return async (ctx, request) => {
    const spec = required(request.image, 'image')
    const id = await engine.images.pull(ctx, {
      reference: requiredText(spec.image, 'image.image'),
      auth: toRegistryAuth(request.auth),
    })
    return { imageRef: id }
  }
}
