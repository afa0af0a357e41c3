import { constants } from 'node:os'
import { join } from 'node:path'
import { isKind } from '#base/errors'
import { createStopContainer } from './containers/stop-container.ts'
import { changeResources } from './containers/update-container-resources.ts'
import type { EngineParts } from './engine-parts.ts'
import type { Pod } from './model/pod.ts'
import { readBundle } from './oci/bundle.ts'
import type { NamespaceSpec } from './oci/spec/types.ts'
import type { PluginHost } from './plugins/plugins.ts'
import type { Paths } from './state/paths.ts'

/** What the engine is to its plugins. They see the objects of all owners. */
export function createPluginHost(
  { pods, containers }: Pick<EngineParts, 'pods' | 'containers'>,
  programsDir: string,
): PluginHost {
  const { host, paths } = containers
  const stop = createStopContainer(containers)
  return {
    pods: () => pods.table.all().filter(({ phase }) => phase !== 'creating'),
    containers: () => containers.table.all().filter(({ phase }) => phase !== 'creating'),
    pod: id => pods.table.get(id),
    container: id => containers.table.get(id),
    namespaces: pod => pinnedNamespaces(paths, pod),
    async spec(id) {
      try {
        return await readBundle(paths.container(id).bundle)
      } catch (err) {
        if (isKind(err, 'not-found')) return undefined
        throw err
      }
    },
    updateContainer: (ctx, { container: { id }, resources }) =>
      containers.locks.run(id, () => changeResources(containers, ctx, { id, change: resources })),
    evict: (ctx, { id }) => stop(ctx, { id, timeoutMs: evictionGraceMs }),
    launch: (ctx, { path, env, socketPath }) =>
      host.launch(ctx, {
        argv: [join(programsDir, 'lighter-accept'), path],
        env,
        socketPath,
        stderrPath: '/dev/null', // a plugin that has something to say has a log of its own
      }),
    kill: (ctx, { pid, name }) => host.killProcess(ctx, { pid, name, signal: constants.signals.SIGKILL }),
  }
}

/** As the kubelet does without a grace period of the pod's own. */
const evictionGraceMs = 30_000

function pinnedNamespaces(paths: Paths, pod: Pod): readonly NamespaceSpec[] {
  const pins = paths.pod(pod.id)
  const { network, ipc, pid } = pod.config.namespaces
  return [
    ...(network === 'pod' ? [{ type: 'network', path: pins.network } as const] : []),
    ...(network === 'pod' ? [{ type: 'uts', path: pins.uts } as const] : []),
    ...(ipc === 'pod' ? [{ type: 'ipc', path: pins.ipc } as const] : []),
    ...(pid === 'pod' ? [{ type: 'pid', path: pins.pid } as const] : []),
  ]
}
