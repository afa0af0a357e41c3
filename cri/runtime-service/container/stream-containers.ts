import type { Container } from '#engine/model/container'
import { v1 } from '#proto'
import { toContainerFilter } from '../../convert/container-filter.ts'
import { fromContainer } from '../../convert/container-status.ts'
import type { DoorDeps } from '../../door.ts'
import { createBatchEncoder } from '../../grpc/encoded-message.ts'
import type { StreamHandler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** ListContainers in parts: the containers as they are when the call comes. */
export function streamContainers({
  engine,
}: DoorDeps): StreamHandler<typeof runtimeMethods.StreamContainers> {
  const encode = createBatchEncoder<Container>(container =>
    v1.Container.encode(fromContainer(container)).finish(),
  )
  return (_ctx, request) => encode(engine.containers.list(toContainerFilter(request.filter)))
}
