import { RuntimeError } from '#base/errors'
import type { PodOperations } from '../engine.ts'
import type { PodDeps } from './pod-deps.ts'

/** Notes what the kubelet gave the pod's own cgroup. */
export function createUpdatePodResources(_deps: PodDeps): PodOperations['updateResources'] {
  return (_ctx, { id }) =>
    Promise.reject(new RuntimeError('unimplemented', `resources of pod sandbox "${id}" cannot be noted yet`))
}
