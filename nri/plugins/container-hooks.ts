import type { Container } from '#engine/model/container'
import type { Plugins } from '#engine/plugins/plugins'
import type { api } from '#nri-proto'
import { overlay } from '../adjust/merge-resources.ts'
import { fromResources, toResources } from '../convert/resources.ts'
import { events, type PluginEvent } from '../session/events.ts'
import { collectUpdates } from './collect-updates.ts'
import { createContainerCreation } from './container-creation.ts'
import type { HookDeps } from './hook-deps.ts'

type ContainerHooks = Pick<
  Plugins,
  | 'createContainer'
  | 'containerCreated'
  | 'containerAbandoned'
  | 'startContainer'
  | 'containerStarted'
  | 'updateContainer'
  | 'containerUpdated'
  | 'containerStopped'
  | 'removeContainer'
>

interface Subject {
  readonly pod: api.PodSandbox.$Properties | null
  readonly container: api.Container.$Properties
}

/** What happens to containers, told to plugins. */
export function createContainerHooks(deps: HookDeps): ContainerHooks {
  const { gate, plugins, subjects } = deps

  /** Nothing is read or converted unless somebody wants to hear of it. */
  async function tell<Response>(event: PluginEvent<Subject, Response>, container: Container): Promise<void> {
    await gate.shared(async () => {
      if (plugins.handles(event)) await plugins.tell(event, await subjects.container(container))
    })
  }

  return {
    createContainer: createContainerCreation(deps),
    async containerCreated(_ctx, container) {
      subjects.settleContainer(container.id)
      await tell(events.postCreateContainer, container)
    },
    async containerAbandoned(_ctx, container) {
      subjects.settleContainer(container.id)
      await stopped(deps, container)
      await tell(events.removeContainer, container)
    },
    async startContainer(_ctx, container) {
      await gate.shared(async () => {
        if (!plugins.handles(events.startContainer)) return
        await plugins.ask(events.startContainer, await subjects.container(container))
      })
    },
    containerStarted: (_ctx, container) => tell(events.postStartContainer, container),
    updateContainer: (_ctx, change) => updateContainer(deps, change),
    containerUpdated: (_ctx, container) => tell(events.postUpdateContainer, container),
    containerStopped: (_ctx, container) => stopped(deps, container),
    removeContainer: (_ctx, container) => tell(events.removeContainer, container),
  }
}

/** Plugins may share out what the container does not need any more. */
async function stopped(
  { gate, plugins, subjects, updates, log }: HookDeps,
  container: Container,
): Promise<void> {
  await gate.shared(async () => {
    if (!plugins.handles(events.stopContainer)) return
    const request = await subjects.container(container)
    const collected = collectUpdates()
    for (const session of plugins.all()) {
      try {
        const answer = await session.ask(events.stopContainer, request)
        collected.add(session.fullName, answer?.update ?? [])
      } catch (err) {
        log.error({ containerId: container.id, err: String(err) }, 'NRI plugin fails what cannot be undone')
      }
    }
    updates.applyLater(collected.others(container.id))
  })
}

async function updateContainer(
  { gate, plugins, subjects, updates }: HookDeps,
  { container, resources }: Parameters<Plugins['updateContainer']>[1],
): ReturnType<Plugins['updateContainer']> {
  return gate.shared(async () => {
    if (!plugins.handles(events.updateContainer)) return resources
    const subject = await subjects.container(container)
    const collected = collectUpdates()
    let linuxResources = fromResources(resources)
    for (const session of plugins.all()) {
      const answer = await session.ask(events.updateContainer, { ...subject, linuxResources })
      collected.add(session.fullName, answer?.update ?? [])
      updates.evictLater(answer?.evict ?? [])
      const own = collected.of(container.id)?.linux?.resources
      linuxResources = overlay(fromResources(resources), own ?? {})
    }
    updates.applyLater(collected.others(container.id))
    return { ...toResources(linuxResources), oomScoreAdj: resources.oomScoreAdj }
  })
}
