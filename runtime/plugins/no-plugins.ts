import type { Plugins } from './plugins.ts'

const nothing = (): Promise<void> => Promise.resolve()

/** What there is when nothing extends the runtime. */
export const noPlugins: Plugins = {
  start: nothing,
  stop: nothing,
  runPod: (_ctx, _pod, publish) => publish(),
  updatePod: nothing,
  podUpdated: nothing,
  stopPod: nothing,
  removePod: nothing,
  createContainer: (_ctx, { spec }) => Promise.resolve({ spec, cdiDevices: [], resources: undefined }),
  containerCreated: nothing,
  containerAbandoned: nothing,
  startContainer: nothing,
  containerStarted: nothing,
  updateContainer: (_ctx, { resources }) => Promise.resolve(resources),
  containerUpdated: nothing,
  containerStopped: nothing,
  removeContainer: nothing,
}
