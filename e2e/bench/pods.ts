import { containerConfig, mode, type PodConfig, type PodOverrides } from '../harness/configs.ts'
import { timed } from './bench.ts'
import { benchPod, type Subject } from './subjects/subject.ts'

/** A running pod. */
export interface BenchPod {
  readonly id: string
  readonly config: PodConfig
  readonly containers: readonly string[]
}

export interface PodShape {
  readonly containers?: number
  /** Default: the runtime's own. */
  readonly handler?: string
  readonly pod?: PodOverrides
  /** A line for sh -c; default: sleeps for ever, and does not heed SIGTERM. */
  readonly shell?: string
}

const sleeping = 'exec sleep 1000000'

/** Starts a pod and its containers. */
export async function startPod(subject: Subject, shape: PodShape = {}): Promise<BenchPod> {
  const config = benchPod(subject, shape.pod)
  const id = await subject.cri.runPod(config, shape.handler)
  const containers: string[] = []
  for (let number = 0; number < (shape.containers ?? 1); number++) {
    const container = containerConfig(subject.image, {
      name: `c${number}`,
      shell: shape.shell ?? sleeping,
      security: { namespaceOptions: { pid: mode.CONTAINER } },
    })
    const containerId = await subject.cri.createContainer(id, container, config)
    await subject.cri.startContainer(containerId)
    containers.push(containerId)
  }
  return { id, config, containers }
}

/** As the kubelet does it, without grace. */
export async function removePod({ cri }: Subject, pod: BenchPod): Promise<void> {
  for (const id of pod.containers) {
    await cri.stopContainer(id, 0)
    await cri.removeContainer(id)
  }
  await cri.stopPod(pod.id)
  await cri.removePod(pod.id)
}

export interface Filling {
  readonly containers: number
  readonly perPod: number
  /** Pods at once. */
  readonly wide: number
  readonly shape?: PodShape
  readonly signal: AbortSignal
}

/** Starts pods until there are so many containers more. */
export async function fill(subject: Subject, filling: Filling): Promise<readonly BenchPod[]> {
  const { containers, perPod, wide, shape, signal } = filling
  const sizes = Array.from({ length: Math.ceil(containers / perPod) }, (_, at) =>
    Math.min(perPod, containers - at * perPod),
  )
  return side(wide, sizes, size => {
    signal.throwIfAborted()
    return startPod(subject, { ...shape, containers: size })
  })
}

/** Runs `work` for every input, `wide` of them at a time; all have ended when this settles, also when one failed. */
export async function side<Input, Output>(
  wide: number,
  inputs: readonly Input[],
  work: (input: Input) => Promise<Output>,
): Promise<readonly Output[]> {
  const outputs: Output[] = []
  const failures: unknown[] = []
  const left = inputs.values()
  const worker = async (): Promise<void> => {
    for (const input of left) {
      if (failures.length > 0) return
      await work(input).then(
        output => outputs.push(output),
        (err: unknown) => failures.push(err),
      )
    }
  }
  await Promise.all(Array.from({ length: wide }, worker))
  if (failures.length > 0) throw failures[0]
  return outputs
}

/** Milliseconds of each call of a pod's life, in their order. */
export async function timeLife(
  subject: Subject,
  shape: PodShape = {},
): Promise<Readonly<Record<Call, number>>> {
  const { cri, image } = subject
  const config = benchPod(subject, shape.pod)
  const container = containerConfig(image, {
    shell: shape.shell ?? sleeping,
    security: {
      namespaceOptions: { pid: config.linux?.securityContext?.namespaceOptions?.pid ?? mode.CONTAINER },
    },
  })
  const [pod, RunPodSandbox] = await timed(() => cri.runPod(config, shape.handler))
  const [id, CreateContainer] = await timed(() => cri.createContainer(pod, container, config))
  const [, StartContainer] = await timed(() => cri.startContainer(id))
  const [, StopContainer] = await timed(() => cri.stopContainer(id, 0))
  const [, RemoveContainer] = await timed(() => cri.removeContainer(id))
  const [, StopPodSandbox] = await timed(() => cri.stopPod(pod))
  const [, RemovePodSandbox] = await timed(() => cri.removePod(pod))
  return {
    ...{ RunPodSandbox, CreateContainer, StartContainer },
    ...{ StopContainer, RemoveContainer, StopPodSandbox, RemovePodSandbox },
  }
}

export type Call = (typeof startCalls)[number] | (typeof stopCalls)[number]

export const startCalls = ['RunPodSandbox', 'CreateContainer', 'StartContainer'] as const
export const stopCalls = ['StopContainer', 'RemoveContainer', 'StopPodSandbox', 'RemovePodSandbox'] as const

export function total(times: Readonly<Record<Call, number>>, calls: readonly Call[]): number {
  return calls.reduce((sum, call) => sum + times[call], 0)
}
