import { api } from '#nri-proto'

/** One call on a plugin. */
export interface PluginCall<Request, Response> {
  readonly method: string
  encode(request: Request): Uint8Array
  decode(bytes: Uint8Array): Response
}

/** A call that plugins subscribe to. */
export interface PluginEvent<Request, Response> extends PluginCall<Request, Response> {
  /** Bit in the mask of a subscription (nri.proto, Event: number - 1). */
  readonly bit: number
  /** How plugins of the lines before 0.12 are told, who have no call for it; undefined: they have. */
  readonly asStateChange: ((request: Request) => StateChange) | undefined
}

type StateChange = api.StateChangeEvent.$Properties
type Subject = Pick<StateChange, 'pod' | 'container'>

export const configureCall = call('Configure', api.ConfigureRequest, api.ConfigureResponse)
export const synchronizeCall = call('Synchronize', api.SynchronizeRequest, api.SynchronizeResponse)
export const shutdownCall = call('Shutdown', api.Empty, api.Empty)
export const stateChangeCall = call('StateChange', api.StateChangeEvent, api.Empty)

const { Event } = api

export const events = {
  runPodSandbox: told(
    Event.RUN_POD_SANDBOX,
    call('RunPodSandbox', api.RunPodSandboxRequest, api.RunPodSandboxResponse),
  ),
  updatePodSandbox: asked(
    Event.UPDATE_POD_SANDBOX,
    call('UpdatePodSandbox', api.UpdatePodSandboxRequest, api.UpdatePodSandboxResponse),
  ),
  postUpdatePodSandbox: told(
    Event.POST_UPDATE_POD_SANDBOX,
    call('PostUpdatePodSandbox', api.PostUpdatePodSandboxRequest, api.PostUpdatePodSandboxResponse),
  ),
  stopPodSandbox: told(
    Event.STOP_POD_SANDBOX,
    call('StopPodSandbox', api.StopPodSandboxRequest, api.StopPodSandboxResponse),
  ),
  removePodSandbox: told(
    Event.REMOVE_POD_SANDBOX,
    call('RemovePodSandbox', api.RemovePodSandboxRequest, api.RemovePodSandboxResponse),
  ),
  createContainer: asked(
    Event.CREATE_CONTAINER,
    call('CreateContainer', api.CreateContainerRequest, api.CreateContainerResponse),
  ),
  postCreateContainer: told(
    Event.POST_CREATE_CONTAINER,
    call('PostCreateContainer', api.PostCreateContainerRequest, api.PostCreateContainerResponse),
  ),
  startContainer: told(
    Event.START_CONTAINER,
    call('StartContainer', api.StartContainerRequest, api.StartContainerResponse),
  ),
  postStartContainer: told(
    Event.POST_START_CONTAINER,
    call('PostStartContainer', api.PostStartContainerRequest, api.PostStartContainerResponse),
  ),
  updateContainer: asked(
    Event.UPDATE_CONTAINER,
    call('UpdateContainer', api.UpdateContainerRequest, api.UpdateContainerResponse),
  ),
  postUpdateContainer: told(
    Event.POST_UPDATE_CONTAINER,
    call('PostUpdateContainer', api.PostUpdateContainerRequest, api.PostUpdateContainerResponse),
  ),
  stopContainer: asked(
    Event.STOP_CONTAINER,
    call('StopContainer', api.StopContainerRequest, api.StopContainerResponse),
  ),
  removeContainer: told(
    Event.REMOVE_CONTAINER,
    call('RemoveContainer', api.RemoveContainerRequest, api.RemoveContainerResponse),
  ),
  validateContainerAdjustment: asked(
    Event.VALIDATE_CONTAINER_ADJUSTMENT,
    call(
      'ValidateContainerAdjustment',
      api.ValidateContainerAdjustmentRequest,
      api.ValidateContainerAdjustmentResponse,
    ),
  ),
} as const

/** The mask of every event that there is. */
export const allEvents = (1 << (Event.LAST - 1)) - 1

function call<Request, Response>(
  method: string,
  request: { encode(message: Request): { finish(): Uint8Array } },
  response: { decode(bytes: Uint8Array): Response },
): PluginCall<Request, Response> {
  return {
    method,
    encode: message => request.encode(message).finish(),
    decode: bytes => response.decode(bytes),
  }
}

function told<Request extends Subject, Response>(
  event: api.Event,
  how: PluginCall<Request, Response>,
): PluginEvent<Request, Response> {
  const asStateChange = ({ pod, container }: Request): StateChange => ({
    event,
    pod: pod ?? null,
    container: container ?? null,
  })
  return { ...how, bit: 1 << (event - 1), asStateChange }
}

function asked<Request, Response>(
  event: api.Event,
  how: PluginCall<Request, Response>,
): PluginEvent<Request, Response> {
  return { ...how, bit: 1 << (event - 1), asStateChange: undefined }
}
