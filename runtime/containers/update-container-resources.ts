import { RuntimeError } from '#base/errors'
import type { ContainerOperations } from '../engine.ts'
import type { ContainerDeps } from './container-deps.ts'

/** Changes the limits of a created or running container. */
export function createUpdateContainerResources(_deps: ContainerDeps): ContainerOperations['updateResources'] {
  return (_ctx, { id }) =>
    Promise.reject(new RuntimeError('unimplemented', `resources of container "${id}" cannot be changed yet`))
}
