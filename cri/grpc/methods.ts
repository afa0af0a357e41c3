import { v1 } from '#proto'

/** What the generated code gives for each message. */
interface MessageClass {
  encode(message: never): { finish(): Uint8Array }
  decode(bytes: Uint8Array): object
}

/** A message as it is given to be sent: every field may be left out. */
export type Sent<Class extends MessageClass> = Parameters<Class['encode']>[0]

/** A message as it was received. */
export type Received<Class extends MessageClass> = ReturnType<Class['decode']>

/** One RPC: where it is found and how its messages are written. */
export interface Method<Request extends MessageClass, Response extends MessageClass> {
  /** As HTTP/2 has it: `/package.Service/Name`. */
  readonly path: string
  readonly name: string
  readonly isServerStream: boolean
  readonly request: Request
  readonly response: Response
}

export type AnyMethod = Method<MessageClass, MessageClass>

/** Every RPC of RuntimeService, by name. */
export const runtimeMethods = {
  Version: unary('RuntimeService/Version', v1.VersionRequest, v1.VersionResponse),
  RunPodSandbox: unary('RuntimeService/RunPodSandbox', v1.RunPodSandboxRequest, v1.RunPodSandboxResponse),
  StopPodSandbox: unary('RuntimeService/StopPodSandbox', v1.StopPodSandboxRequest, v1.StopPodSandboxResponse),
  RemovePodSandbox: unary(
    'RuntimeService/RemovePodSandbox',
    v1.RemovePodSandboxRequest,
    v1.RemovePodSandboxResponse,
  ),
  PodSandboxStatus: unary(
    'RuntimeService/PodSandboxStatus',
    v1.PodSandboxStatusRequest,
    v1.PodSandboxStatusResponse,
  ),
  ListPodSandbox: unary('RuntimeService/ListPodSandbox', v1.ListPodSandboxRequest, v1.ListPodSandboxResponse),
  StreamPodSandboxes: serverStream(
    'RuntimeService/StreamPodSandboxes',
    v1.StreamPodSandboxesRequest,
    v1.StreamPodSandboxesResponse,
  ),
  CreateContainer: unary(
    'RuntimeService/CreateContainer',
    v1.CreateContainerRequest,
    v1.CreateContainerResponse,
  ),
  StartContainer: unary('RuntimeService/StartContainer', v1.StartContainerRequest, v1.StartContainerResponse),
  StopContainer: unary('RuntimeService/StopContainer', v1.StopContainerRequest, v1.StopContainerResponse),
  RemoveContainer: unary(
    'RuntimeService/RemoveContainer',
    v1.RemoveContainerRequest,
    v1.RemoveContainerResponse,
  ),
  ListContainers: unary('RuntimeService/ListContainers', v1.ListContainersRequest, v1.ListContainersResponse),
  StreamContainers: serverStream(
    'RuntimeService/StreamContainers',
    v1.StreamContainersRequest,
    v1.StreamContainersResponse,
  ),
  ContainerStatus: unary(
    'RuntimeService/ContainerStatus',
    v1.ContainerStatusRequest,
    v1.ContainerStatusResponse,
  ),
  UpdateContainerResources: unary(
    'RuntimeService/UpdateContainerResources',
    v1.UpdateContainerResourcesRequest,
    v1.UpdateContainerResourcesResponse,
  ),
  ReopenContainerLog: unary(
    'RuntimeService/ReopenContainerLog',
    v1.ReopenContainerLogRequest,
    v1.ReopenContainerLogResponse,
  ),
  ExecSync: unary('RuntimeService/ExecSync', v1.ExecSyncRequest, v1.ExecSyncResponse),
  Exec: unary('RuntimeService/Exec', v1.ExecRequest, v1.ExecResponse),
  Attach: unary('RuntimeService/Attach', v1.AttachRequest, v1.AttachResponse),
  PortForward: unary('RuntimeService/PortForward', v1.PortForwardRequest, v1.PortForwardResponse),
  ContainerStats: unary('RuntimeService/ContainerStats', v1.ContainerStatsRequest, v1.ContainerStatsResponse),
  ListContainerStats: unary(
    'RuntimeService/ListContainerStats',
    v1.ListContainerStatsRequest,
    v1.ListContainerStatsResponse,
  ),
  StreamContainerStats: serverStream(
    'RuntimeService/StreamContainerStats',
    v1.StreamContainerStatsRequest,
    v1.StreamContainerStatsResponse,
  ),
  PodSandboxStats: unary(
    'RuntimeService/PodSandboxStats',
    v1.PodSandboxStatsRequest,
    v1.PodSandboxStatsResponse,
  ),
  ListPodSandboxStats: unary(
    'RuntimeService/ListPodSandboxStats',
    v1.ListPodSandboxStatsRequest,
    v1.ListPodSandboxStatsResponse,
  ),
  StreamPodSandboxStats: serverStream(
    'RuntimeService/StreamPodSandboxStats',
    v1.StreamPodSandboxStatsRequest,
    v1.StreamPodSandboxStatsResponse,
  ),
  UpdateRuntimeConfig: unary(
    'RuntimeService/UpdateRuntimeConfig',
    v1.UpdateRuntimeConfigRequest,
    v1.UpdateRuntimeConfigResponse,
  ),
  Status: unary('RuntimeService/Status', v1.StatusRequest, v1.StatusResponse),
  CheckpointContainer: unary(
    'RuntimeService/CheckpointContainer',
    v1.CheckpointContainerRequest,
    v1.CheckpointContainerResponse,
  ),
  CheckpointPod: unary('RuntimeService/CheckpointPod', v1.CheckpointPodRequest, v1.CheckpointPodResponse),
  RestorePod: unary('RuntimeService/RestorePod', v1.RestorePodRequest, v1.RestorePodResponse),
  GetContainerEvents: serverStream(
    'RuntimeService/GetContainerEvents',
    v1.GetEventsRequest,
    v1.ContainerEventResponse,
  ),
  ListMetricDescriptors: unary(
    'RuntimeService/ListMetricDescriptors',
    v1.ListMetricDescriptorsRequest,
    v1.ListMetricDescriptorsResponse,
  ),
  ListPodSandboxMetrics: unary(
    'RuntimeService/ListPodSandboxMetrics',
    v1.ListPodSandboxMetricsRequest,
    v1.ListPodSandboxMetricsResponse,
  ),
  StreamPodSandboxMetrics: serverStream(
    'RuntimeService/StreamPodSandboxMetrics',
    v1.StreamPodSandboxMetricsRequest,
    v1.StreamPodSandboxMetricsResponse,
  ),
  RuntimeConfig: unary('RuntimeService/RuntimeConfig', v1.RuntimeConfigRequest, v1.RuntimeConfigResponse),
  UpdatePodSandboxResources: unary(
    'RuntimeService/UpdatePodSandboxResources',
    v1.UpdatePodSandboxResourcesRequest,
    v1.UpdatePodSandboxResourcesResponse,
  ),
} as const

/** Every RPC of ImageService, by name. */
export const imageMethods = {
  ListImages: unary('ImageService/ListImages', v1.ListImagesRequest, v1.ListImagesResponse),
  StreamImages: serverStream('ImageService/StreamImages', v1.StreamImagesRequest, v1.StreamImagesResponse),
  ImageStatus: unary('ImageService/ImageStatus', v1.ImageStatusRequest, v1.ImageStatusResponse),
  PullImage: unary('ImageService/PullImage', v1.PullImageRequest, v1.PullImageResponse),
  RemoveImage: unary('ImageService/RemoveImage', v1.RemoveImageRequest, v1.RemoveImageResponse),
  ImageFsInfo: unary('ImageService/ImageFsInfo', v1.ImageFsInfoRequest, v1.ImageFsInfoResponse),
} as const

function unary<Request extends MessageClass, Response extends MessageClass>(
  path: string,
  request: Request,
  response: Response,
): Method<Request, Response> {
  return method(path, { request, response, isServerStream: false })
}

function serverStream<Request extends MessageClass, Response extends MessageClass>(
  path: string,
  request: Request,
  response: Response,
): Method<Request, Response> {
  return method(path, { request, response, isServerStream: true })
}

function method<Request extends MessageClass, Response extends MessageClass>(
  path: string,
  rest: Omit<Method<Request, Response>, 'path' | 'name'>,
): Method<Request, Response> {
  return { path: `/runtime.v1.${path}`, name: path.slice(path.indexOf('/') + 1), ...rest }
}
