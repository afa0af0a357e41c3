import type { Container } from '#engine/model/container'
import type { ContainerEvent, EventSubscription } from '#engine/model/event'
import type { Pod } from '#engine/model/pod'
import { v1 } from '#proto'
import { fromContainerToStatus } from '../../convert/container-status.ts'
import { fromBigInt } from '../../convert/integers.ts'
import { fromPodToStatus } from '../../convert/pod-status.ts'
import type { DoorDeps } from '../../door.ts'
import { createFrames, EncodedMessage } from '../../grpc/encoded-message.ts'
import type { StreamHandler } from '../../grpc/handler.ts'
import type { runtimeMethods } from '../../grpc/methods.ts'
import { imageName } from '../container/image-name.ts'

/** Fields of ContainerEventResponse. */
const podSandboxStatusField = 4
const containersStatusesField = 5

type EncodeEvent = (event: ContainerEvent) => EncodedMessage

/**
 * Everything that happens from the moment the call is taken (its headers say so), until the client leaves. The kubelet
 * drops an event without the pod's status; every event has it, also that of a pod's end.
 */
export function getContainerEvents(deps: DoorDeps): StreamHandler<typeof runtimeMethods.GetContainerEvents> {
  const encode = createEventEncoder(deps)
  return ctx => encodeAll(deps.engine.events.subscribe(ctx.signal), encode)
}

async function* encodeAll(
  subscription: EventSubscription,
  encode: EncodeEvent,
): AsyncGenerator<EncodedMessage> {
  for await (const event of subscription) yield encode(event)
}

/** Statuses are written once per version of an object, for all events that show it and all who read them. */
function createEventEncoder({ engine }: DoorDeps): EncodeEvent {
  const podFrame = createFrames<Pod>(podSandboxStatusField, pod =>
    v1.PodSandboxStatus.encode(fromPodToStatus(pod)).finish(),
  )
  const containerFrame = createFrames<Container>(containersStatusesField, container =>
    v1.ContainerStatus.encode(fromContainerToStatus(container, imageName(engine, container))).finish(),
  )
  return ({ kind, id, timestampNs, pod, containers }) => {
    const head = v1.ContainerEventResponse.encode({
      containerId: id,
      containerEventType: eventTypes[kind],
      createdAt: fromBigInt(timestampNs),
    }).finish()
    return new EncodedMessage(Buffer.concat([head, podFrame(pod), ...containers.map(containerFrame)]))
  }
}

const eventTypes: Readonly<Record<ContainerEvent['kind'], v1.ContainerEventType>> = {
  created: v1.ContainerEventType.CONTAINER_CREATED_EVENT,
  started: v1.ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: v1.ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: v1.ContainerEventType.CONTAINER_DELETED_EVENT,
}
