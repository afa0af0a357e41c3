import type { Container } from '#engine/model/container'
import type { Pod } from '#engine/model/pod'
import type { Spec } from '#engine/oci/spec/types'
import type { PluginHost } from '#engine/plugins/plugins'
import type { api } from '#nri-proto'
import { fromContainer } from '../convert/container.ts'
import { fromPod } from '../convert/pod.ts'

type PodMessage = api.PodSandbox.$Properties
type ContainerMessage = api.Container.$Properties

/** Pods and containers in the words of plugins. */
export interface Subjects {
  pod(pod: Pod): { readonly pod: PodMessage }
  /** With its pod. */
  container(
    container: Container,
    spec?: Spec,
  ): Promise<{
    readonly pod: PodMessage | null
    readonly container: ContainerMessage
  }>
  /** Everything that a plugin that joins must know. */
  snapshot(): Promise<Snapshot>
  /** Told to the plugins that are here, not shown to clients yet; until the answered function is called. */
  announcePod(pod: Pod): () => void
  announceContainer(container: Container, spec: Spec): void
  /** The container is shown to clients, or will never be. */
  settleContainer(id: string): void
}

export interface Snapshot {
  readonly pods: readonly PodMessage[]
  readonly containers: readonly ContainerMessage[]
}

export function createSubjects(host: PluginHost): Subjects {
  const pods = new Map<string, Pod>()
  const containers = new Map<string, { readonly container: Container; readonly spec: Spec }>()

  const podMessage = (pod: Pod): PodMessage => fromPod(pod, host.namespaces(pod))

  async function container(subject: Container, spec?: Spec): ReturnType<Subjects['container']> {
    const pod = host.pod(subject.podId)
    return {
      pod: pod ? podMessage(pod) : null,
      container: fromContainer(subject, spec ?? (await host.spec(subject.id))),
    }
  }

  return {
    pod: pod => ({ pod: podMessage(pod) }),
    container,
    async snapshot() {
      const shownPods = host.pods()
      const shown = host.containers().filter(hasNotEnded)
      const shownIds = new Set([...shownPods, ...shown].map(({ id }) => String(id)))
      const hidden = [...containers.values()].filter(one => !shownIds.has(one.container.id))
      const hiddenPods = [...pods.values()].filter(({ id }) => !shownIds.has(id))
      const messages = await Promise.all([
        ...shown.map(one => container(one)),
        ...hidden.map(one => container(one.container, one.spec)),
      ])
      return {
        pods: [...shownPods, ...hiddenPods].map(podMessage),
        containers: messages.map(message => message.container),
      }
    },
    announcePod(pod) {
      pods.set(pod.id, pod)
      return () => {
        pods.delete(pod.id)
      }
    },
    announceContainer(announced, spec) {
      containers.set(announced.id, { container: announced, spec })
    },
    settleContainer(id) {
      containers.delete(id)
    },
  }
}

/** What has ended uses nothing any more: those who share out a node's resources must not count it. */
function hasNotEnded({ phase }: Container): boolean {
  return phase === 'created' || phase === 'starting' || phase === 'running'
}
