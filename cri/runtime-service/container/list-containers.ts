import type { Container } from '#engine/model/container'
import { v1 } from '#proto'
import { toContainerFilter } from '../../convert/container-filter.ts'
import { fromContainer } from '../../convert/container-status.ts'
import type { DoorDeps } from '../../door.ts'
import { createListEncoder } from '../../grpc/encoded-message.ts'
import type { Handler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'

/** Asked for every second: waits for nothing, and encodes a container only when it has changed. */
export function listContainers({ engine }: DoorDeps): Handler<typeof runtimeMethods.ListContainers> {
  const encode = createListEncoder<Container>(container =>
    v1.Container.encode(fromContainer(container)).finish(),
  )
  return (_ctx, request) => encode(engine.containers.list(toContainerFilter(request.filter)))
}
