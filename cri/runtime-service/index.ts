import type { DoorDeps } from '../door.ts'
import { type Gate, served, streamed } from '../grpc/handler.ts'
import { runtimeMethods as rpc } from '../grpc/methods.ts'
import type { Service } from '../grpc/server.ts'
import { checkpointContainer } from './checkpoint/checkpoint-container.ts'
import { checkpointPod } from './checkpoint/checkpoint-pod.ts'
import { restorePod } from './checkpoint/restore-pod.ts'
import { containerStatus } from './container/container-status.ts'
import { createContainer } from './container/create-container.ts'
import { listContainers } from './container/list-containers.ts'
import { removeContainer } from './container/remove-container.ts'
import { reopenContainerLog } from './container/reopen-container-log.ts'
import { startContainer } from './container/start-container.ts'
import { stopContainer } from './container/stop-container.ts'
import { streamContainers } from './container/stream-containers.ts'
import { updateContainerResources } from './container/update-container-resources.ts'
import { getContainerEvents } from './events/get-container-events.ts'
import { runtimeConfig } from './node/runtime-config.ts'
import { status } from './node/status.ts'
import { updateRuntimeConfig } from './node/update-runtime-config.ts'
import { version } from './node/version.ts'
import { listPodSandbox } from './sandbox/list-pod-sandbox.ts'
import { podSandboxStatus } from './sandbox/pod-sandbox-status.ts'
import { removePodSandbox } from './sandbox/remove-pod-sandbox.ts'
import { runPodSandbox } from './sandbox/run-pod-sandbox.ts'
import { stopPodSandbox } from './sandbox/stop-pod-sandbox.ts'
import { streamPodSandboxes } from './sandbox/stream-pod-sandboxes.ts'
import { updatePodSandboxResources } from './sandbox/update-pod-sandbox-resources.ts'
import { attach } from './session/attach.ts'
import { exec } from './session/exec.ts'
import { execSync } from './session/exec-sync.ts'
import { portForward } from './session/port-forward.ts'
import { containerStats } from './stats/container-stats.ts'
import { listContainerStats } from './stats/list-container-stats.ts'
import { listMetricDescriptors } from './stats/list-metric-descriptors.ts'
import { listPodSandboxMetrics } from './stats/list-pod-sandbox-metrics.ts'
import { listPodSandboxStats } from './stats/list-pod-sandbox-stats.ts'
import { podSandboxStats } from './stats/pod-sandbox-stats.ts'
import { streamContainerStats } from './stats/stream-container-stats.ts'
import { streamPodSandboxMetrics } from './stats/stream-pod-sandbox-metrics.ts'
import { streamPodSandboxStats } from './stats/stream-pod-sandbox-stats.ts'

/** RPC → handler. */
export function createRuntimeService(gate: Gate, deps: DoorDeps): Service {
  return {
    name: 'runtime.v1.RuntimeService',
    methods: [
      served(gate, rpc.RunPodSandbox, runPodSandbox(deps)),
      served(gate, rpc.StopPodSandbox, stopPodSandbox(deps)),
      served(gate, rpc.RemovePodSandbox, removePodSandbox(deps)),
      served(gate, rpc.PodSandboxStatus, podSandboxStatus(deps)),
      served(gate, rpc.ListPodSandbox, listPodSandbox(deps)),
      streamed(gate, rpc.StreamPodSandboxes, streamPodSandboxes(deps)),
      served(gate, rpc.CreateContainer, createContainer(deps)),
      served(gate, rpc.StartContainer, startContainer(deps)),
      served(gate, rpc.StopContainer, stopContainer(deps)),
      served(gate, rpc.RemoveContainer, removeContainer(deps)),
      served(gate, rpc.ListContainers, listContainers(deps)),
      streamed(gate, rpc.StreamContainers, streamContainers(deps)),
      served(gate, rpc.ContainerStatus, containerStatus(deps)),
      served(gate, rpc.UpdateContainerResources, updateContainerResources(deps)),
      served(gate, rpc.UpdatePodSandboxResources, updatePodSandboxResources(deps)),
      served(gate, rpc.ReopenContainerLog, reopenContainerLog(deps)),
      served(gate, rpc.ExecSync, execSync(deps)),
      served(gate, rpc.Exec, exec(deps)),
      served(gate, rpc.Attach, attach(deps)),
      served(gate, rpc.PortForward, portForward(deps)),
      served(gate, rpc.ContainerStats, containerStats(deps)),
      served(gate, rpc.ListContainerStats, listContainerStats(deps)),
      streamed(gate, rpc.StreamContainerStats, streamContainerStats(deps)),
      served(gate, rpc.PodSandboxStats, podSandboxStats(deps)),
      served(gate, rpc.ListPodSandboxStats, listPodSandboxStats(deps)),
      streamed(gate, rpc.StreamPodSandboxStats, streamPodSandboxStats(deps)),
      served(gate, rpc.ListMetricDescriptors, listMetricDescriptors()),
      served(gate, rpc.ListPodSandboxMetrics, listPodSandboxMetrics(deps)),
      streamed(gate, rpc.StreamPodSandboxMetrics, streamPodSandboxMetrics(deps)),
      streamed(gate, rpc.GetContainerEvents, getContainerEvents(deps)),
      served(gate, rpc.CheckpointContainer, checkpointContainer(deps)),
      served(gate, rpc.CheckpointPod, checkpointPod(deps)),
      served(gate, rpc.RestorePod, restorePod(deps)),
      served(gate, rpc.Version, version(deps)),
      served(gate, rpc.Status, status(deps)),
      served(gate, rpc.RuntimeConfig, runtimeConfig(deps)),
      served(gate, rpc.UpdateRuntimeConfig, updateRuntimeConfig()),
    ],
  }
}
