import { containerConfig, mode, type PodConfig } from '../harness/configs.ts'
import type { Cri } from '../harness/cri.ts'

/** The calls of a pod's life, in their order. */
export const callNames = [
  'RunPodSandbox',
  'CreateContainer',
  'StartContainer',
  'StopContainer',
  'RemoveContainer',
  'StopPodSandbox',
  'RemovePodSandbox',
] as const
export type CallName = (typeof callNames)[number]

export interface Series {
  readonly title: string
  /** Milliseconds of each call, one number for each round. */
  readonly times: Readonly<Record<CallName, readonly number[]>>
}

export interface SeriesInput {
  readonly title: string
  readonly cri: Cri
  readonly image: string
  readonly pidMode: (typeof mode)[keyof typeof mode]
  /** A new pod config with a name of its own. */
  readonly pod: () => PodConfig
  readonly rounds: number
  readonly warmUp: number
}

/** Takes `rounds` pods of one container through their lives, one after the other, and times each call. */
export async function measureSeries(input: SeriesInput): Promise<Series> {
  const times: Record<CallName, number[]> = {
    RunPodSandbox: [],
    CreateContainer: [],
    StartContainer: [],
    StopContainer: [],
    RemoveContainer: [],
    StopPodSandbox: [],
    RemovePodSandbox: [],
  }
  for (let round = -input.warmUp; round < input.rounds; round++) {
    const once = await measureLife(input)
    if (round >= 0) for (const name of callNames) times[name].push(once[name])
  }
  return { title: input.title, times }
}

async function measureLife({ cri, image, pidMode, pod }: SeriesInput): Promise<Record<CallName, number>> {
  const config = pod()
  const container = containerConfig(image, { security: { namespaceOptions: { pid: pidMode } } })
  const run = await timed(() => cri.runPod(config))
  const create = await timed(() => cri.createContainer(run.answer, container, config))
  const start = await timed(() => cri.startContainer(create.answer))
  const stop = await timed(() => cri.stopContainer(create.answer, 0))
  const remove = await timed(() => cri.removeContainer(create.answer))
  const stopPod = await timed(() => cri.stopPod(run.answer))
  const removePod = await timed(() => cri.removePod(run.answer))
  return {
    RunPodSandbox: run.ms,
    CreateContainer: create.ms,
    StartContainer: start.ms,
    StopContainer: stop.ms,
    RemoveContainer: remove.ms,
    StopPodSandbox: stopPod.ms,
    RemovePodSandbox: removePod.ms,
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly answer: T; readonly ms: number }> {
  const begin = performance.now()
  const answer = await work()
  return { answer, ms: performance.now() - begin }
}

/** The value below which `share` (0 to 1) of the sorted numbers lie. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [low = 0, high = 0] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  return low + (high - low) * (at - Math.floor(at))
}
