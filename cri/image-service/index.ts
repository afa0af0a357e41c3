import type { DoorDeps } from '../door.ts'
import { type Gate, served, streamed } from '../grpc/handler.ts'
import { imageMethods as rpc } from '../grpc/methods.ts'
import type { Service } from '../grpc/server.ts'
import { imageFsInfo } from './image-fs-info.ts'
import { imageStatus } from './image-status.ts'
import { listImages } from './list-images.ts'
import { pullImage } from './pull-image.ts'
import { removeImage } from './remove-image.ts'
import { streamImages } from './stream-images.ts'

/** RPC → handler. */
export function createImageService(gate: Gate, deps: DoorDeps): Service {
  return {
    name: 'runtime.v1.ImageService',
    methods: [
      served(gate, rpc.ListImages, listImages(deps)),
      streamed(gate, rpc.StreamImages, streamImages(deps)),
      served(gate, rpc.ImageStatus, imageStatus(deps)),
      served(gate, rpc.PullImage, pullImage(deps)),
      served(gate, rpc.RemoveImage, removeImage(deps)),
      served(gate, rpc.ImageFsInfo, imageFsInfo(deps)),
    ],
  }
}
