import { RuntimeError, withContext } from '#base/errors'
import type { Adjustment, ContainerCreation, Plugins } from '#engine/plugins/plugins'
import { type Adjustments, mergeAdjustment, noAdjustments, toMessage } from '../adjust/adjustments.ts'
import { applyAdjustments } from '../adjust/apply-adjustments.ts'
import { createOwners, type Owners } from '../adjust/owners.ts'
import { clientResources } from '../convert/resources.ts'
import { events } from '../session/events.ts'
import { type CollectedUpdates, collectUpdates } from './collect-updates.ts'
import type { HookDeps } from './hook-deps.ts'

interface Wishes {
  readonly adjustments: Adjustments
  readonly updates: CollectedUpdates
  readonly owners: Owners
}

/**
 * Asks one plugin after the other what the container shall be like; each sees what those before it have made of it. All
 * of it is applied, or the creation fails.
 */
export function createContainerCreation(deps: HookDeps): Plugins['createContainer'] {
  const { gate, subjects, updates } = deps
  return async (ctx, creation) => {
    const { container } = creation
    const { adjustment, wishes } = await gate.shared(async () => {
      const asked = await askAll(deps, creation)
      const result = adjust(creation, asked.adjustments)
      await validate(deps, creation, asked)
      subjects.announceContainer(container, result.spec)
      return { adjustment: result, wishes: asked }
    })
    await updates.apply(ctx, wishes.updates.others(container.id))
    return adjustment
  }
}

async function askAll(
  { plugins, subjects, updates: apply }: HookDeps,
  creation: ContainerCreation,
): Promise<Wishes> {
  const { container, spec } = creation
  const owners = createOwners(container.id)
  const updates = collectUpdates()
  let adjustments = noAdjustments
  if (plugins.handles(events.createContainer)) {
    for (const session of plugins.all()) {
      if (!session.handles(events.createContainer)) continue
      const request = await subjects.container(container, adjust({ container, spec }, adjustments).spec)
      const answer = await session.ask(events.createContainer, request)
      if (answer?.adjust) {
        adjustments = mergeAdjustment(adjustments, answer.adjust, { plugin: session.fullName, owners })
      }
      updates.add(session.fullName, answer?.update ?? [])
      apply.evictLater(answer?.evict ?? [])
    }
  }
  return { adjustments, updates, owners }
}

function adjust({ container, spec }: ContainerCreation, adjustments: Adjustments): Adjustment {
  if (adjustments === noAdjustments) return { spec, cdiDevices: [], resources: undefined }
  const { cdiDevices, resources } = adjustments
  try {
    return {
      spec: applyAdjustments(spec, adjustments),
      cdiDevices,
      resources: Object.keys(resources).length > 0 ? clientResources(resources) : undefined,
    }
  } catch (err) {
    throw withContext(`what NRI plugins want of container "${container.id}" cannot be done`, err)
  }
}

/** Some plugins judge what all plugins together have made of a container. */
async function validate(
  { plugins, subjects }: HookDeps,
  { container, spec }: ContainerCreation,
  { adjustments, updates, owners }: Wishes,
): Promise<void> {
  if (!plugins.handles(events.validateContainerAdjustment)) return
  const request = {
    ...(await subjects.container(container, spec)),
    adjust: toMessage(adjustments),
    update: [...updates.others()],
    owners: { owners: { [container.id]: owners.toMessage() } },
    plugins: plugins.all().map(({ index, base }) => ({ index, name: base })),
  }
  for (const session of plugins.all()) {
    const answer = await session.ask(events.validateContainerAdjustment, request)
    if (answer?.reject) {
      throw new RuntimeError(
        'permission-denied',
        `NRI plugin "${session.fullName}" rejects what others want of container "${container.id}": ${answer.reason}`,
      )
    }
  }
}
