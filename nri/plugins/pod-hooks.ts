import type { Plugins } from '#engine/plugins/plugins'
import { fromResources } from '../convert/resources.ts'
import { events } from '../session/events.ts'
import type { HookDeps } from './hook-deps.ts'

type PodHooks = Pick<Plugins, 'runPod' | 'updatePod' | 'podUpdated' | 'stopPod' | 'removePod'>

/** What happens to pods, told to plugins. */
export function createPodHooks({ gate, plugins, subjects }: HookDeps): PodHooks {
  /** Pods whose end was told; a stop that failed half-way is tried again. */
  const stopped = new Set<string>()

  async function undo(message: ReturnType<typeof subjects.pod>): Promise<void> {
    await gate.shared(async () => {
      await plugins.tell(events.stopPodSandbox, message)
      await plugins.tell(events.removePodSandbox, message)
    })
  }

  return {
    async runPod(_ctx, pod, publish) {
      const message = subjects.pod(pod)
      let settle: () => void = () => undefined
      try {
        await gate.shared(async () => {
          await plugins.ask(events.runPodSandbox, message)
          settle = subjects.announcePod(pod)
        })
        await publish()
      } catch (err) {
        settle()
        await undo(message)
        throw err
      }
      settle()
    },
    async updatePod(_ctx, { pod, overhead, resources }) {
      await gate.shared(() =>
        plugins.ask(events.updatePodSandbox, {
          ...subjects.pod(pod),
          overheadLinuxResources: overhead ? fromResources(overhead) : null,
          linuxResources: resources ? fromResources(resources) : null,
        }),
      )
    },
    async podUpdated(_ctx, pod) {
      await gate.shared(() => plugins.tell(events.postUpdatePodSandbox, subjects.pod(pod)))
    },
    async stopPod(_ctx, pod) {
      if (stopped.has(pod.id)) return
      stopped.add(pod.id)
      await gate.shared(() => plugins.tell(events.stopPodSandbox, subjects.pod(pod)))
    },
    async removePod(_ctx, pod) {
      stopped.delete(pod.id)
      await gate.shared(() => plugins.tell(events.removePodSandbox, subjects.pod(pod)))
    },
  }
}
