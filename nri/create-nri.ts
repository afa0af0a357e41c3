import { join } from 'node:path'
import type { Ctx } from '#base/context'
import type { Log } from '#base/log'
import { noPlugins } from '#engine/plugins/no-plugins'
import type { PluginHost, Plugins } from '#engine/plugins/plugins'
import type { NriConfig } from './config.ts'
import { type JoinDeps, joinPlugin } from './join/join.ts'
import { type Listener, listenForPlugins } from './join/listener.ts'
import { type Preinstalled, startPreinstalled } from './join/preinstalled.ts'
import { createContainerHooks } from './plugins/container-hooks.ts'
import { createGate } from './plugins/gate.ts'
import { createPluginSet } from './plugins/plugin-set.ts'
import { createPodHooks } from './plugins/pod-hooks.ts'
import { createSubjects } from './plugins/subjects.ts'
import { createUpdates } from './plugins/updates.ts'
import type { PluginSocket } from './session/register.ts'

export interface NriInput {
  readonly config: NriConfig
  /** Directory of the daemon for what a reboot may take. */
  readonly stateDir: string
  /** Version of lighter. */
  readonly version: string
  readonly log: Log
}

interface Running {
  readonly hooks: Pick<
    Plugins,
    keyof ReturnType<typeof createPodHooks> | keyof ReturnType<typeof createContainerHooks>
  >
  stop(): Promise<void>
}

/** NRI (https://github.com/containerd/nri, 0.12 line). Before start() and after stop() nobody hears of anything. */
export function createNri(input: NriInput): Plugins {
  let running: Running | undefined
  const hooks = (): Running['hooks'] => running?.hooks ?? noPlugins

  return {
    async start(ctx, host) {
      running = await startNri(ctx, input, host)
    },
    async stop() {
      const stopped = running
      running = undefined
      await stopped?.stop()
    },
    runPod: (ctx, pod, publish) => hooks().runPod(ctx, pod, publish),
    updatePod: (ctx, update) => hooks().updatePod(ctx, update),
    podUpdated: (ctx, pod) => hooks().podUpdated(ctx, pod),
    stopPod: (ctx, pod) => hooks().stopPod(ctx, pod),
    removePod: (ctx, pod) => hooks().removePod(ctx, pod),
    createContainer: (ctx, creation) => hooks().createContainer(ctx, creation),
    containerCreated: (ctx, container) => hooks().containerCreated(ctx, container),
    containerAbandoned: (ctx, container) => hooks().containerAbandoned(ctx, container),
    startContainer: (ctx, container) => hooks().startContainer(ctx, container),
    containerStarted: (ctx, container) => hooks().containerStarted(ctx, container),
    updateContainer: (ctx, change) => hooks().updateContainer(ctx, change),
    containerUpdated: (ctx, container) => hooks().containerUpdated(ctx, container),
    containerStopped: (ctx, container) => hooks().containerStopped(ctx, container),
    removeContainer: (ctx, container) => hooks().removeContainer(ctx, container),
  }
}

async function startNri(
  ctx: Ctx,
  { config, stateDir, version, log }: NriInput,
  host: PluginHost,
): Promise<Running> {
  const background: Ctx = { signal: new AbortController().signal, log }
  const updates = createUpdates(host, log)
  const deps: JoinDeps = {
    registration: {
      ...config,
      version,
      log,
      updateContainers: async request => {
        updates.evictLater(request.evict)
        return updates.applyAll(background, request.update)
      },
    },
    gate: createGate(),
    plugins: createPluginSet(log),
    subjects: createSubjects(host),
    updates,
    log,
  }
  const joinIt = (socket: PluginSocket): ReturnType<typeof joinPlugin> => joinPlugin(deps, background, socket)
  const preinstalled = await startPreinstalled(ctx, {
    config,
    directory: join(stateDir, 'nri'),
    host,
    join: joinIt,
  })
  const listener = await openListener(config, log, joinIt).catch(async (err: unknown) => {
    await stopNri(background, deps, { listener: undefined, preinstalled })
    throw err
  })
  log.info({ socket: listener ? config.socketPath : '', plugins: deps.plugins.all().length }, 'NRI is on')
  return {
    hooks: { ...createPodHooks(deps), ...createContainerHooks(deps) },
    stop: () => stopNri(background, deps, { listener, preinstalled }),
  }
}

async function openListener(
  config: NriConfig,
  log: Log,
  joinIt: (socket: PluginSocket) => Promise<unknown>,
): Promise<Listener | undefined> {
  if (config.disableExternalConnections) return undefined
  return listenForPlugins({
    path: config.socketPath,
    onSocket: async socket => {
      await joinIt({ socket, preinstalled: undefined })
    },
    log,
  })
}

async function stopNri(
  ctx: Ctx,
  { plugins }: JoinDeps,
  {
    listener,
    preinstalled,
  }: { readonly listener: Listener | undefined; readonly preinstalled: Preinstalled },
): Promise<void> {
  await listener?.close()
  await Promise.all(plugins.all().map(session => session.shutdown()))
  listener?.disconnect()
  await preinstalled.stop(ctx)
}
