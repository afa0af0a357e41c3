import { fromStoreUsage } from '../convert/image.ts'
import type { DoorDeps } from '../door.ts'
import type { Handler } from '../grpc/handler.ts'
import type { imageMethods } from '../grpc/methods.ts'

/** The kubelet's first question to this service: answers at once, from a figure that is kept. */
export function imageFsInfo({ engine }: DoorDeps): Handler<typeof imageMethods.ImageFsInfo> {
  return () => {
    const usage = fromStoreUsage(engine.images.usage())
    return { imageFilesystems: [usage], containerFilesystems: [usage] }
  }
}
