import type { Container } from '../model/container.ts'
import type { ContainerEvent } from '../model/event.ts'
import type { Pod } from '../model/pod.ts'
import type { Change } from '../state/table.ts'

type Kind = ContainerEvent['kind']

const none: readonly Kind[] = []

/**
 * What a change of a pod is to those who follow pods. Between ready and notready lies the teardown: its end is the
 * stop, so that the stops of the containers come before that of their pod.
 */
export function kindsOfPodChange({ before, after }: Change<Pod>): readonly Kind[] {
  const from = before?.phase ?? 'creating'
  if (!after) return from === 'creating' ? none : ['deleted']
  if (from === after.phase) return none
  const isNew = from === 'creating'
  switch (after.phase) {
    case 'ready':
      return ['created', 'started']
    case 'stopping':
      return isNew ? ['created'] : none
    case 'notready':
      return isNew ? ['created', 'stopped'] : ['stopped']
    case 'creating':
    case 'removing':
      return none
  }
}

/** What a change of a container is. One that ended before its start was recorded has started all the same. */
export function kindsOfContainerChange({ before, after }: Change<Container>): readonly Kind[] {
  const from = before?.phase ?? 'creating'
  if (!after) return from === 'creating' ? none : ['deleted']
  if (from === after.phase) return none
  const isNew = from === 'creating'
  switch (after.phase) {
    case 'created':
      return isNew ? ['created'] : none
    case 'running':
      return isNew ? ['created', 'started'] : ['started']
    case 'exited':
      return from === 'starting' && after.startedAtNs !== 0n ? ['started', 'stopped'] : ['stopped']
    case 'creating':
    case 'starting':
    case 'removing':
      return none
  }
}
