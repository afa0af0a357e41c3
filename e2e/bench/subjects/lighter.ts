import { closeWorld, openWorld, removePods } from '../../harness/world.ts'
import type { Subject } from './subject.ts'
import { versionOf } from './version.ts'

/** A lighterd of its own with everything a node has. */
export async function openLighter(fakeRuntime: string): Promise<Subject> {
  const handlers = { runtimes: { handlers: { fake: { path: fakeRuntime } } } }
  const world = await openWorld({ logLevel: 'info', config: JSON.stringify(handlers) })
  const { daemon, cri, scratch, registry } = world
  const revive = async (): Promise<void> => {
    if (!daemon.isRunning()) await daemon.start()
  }
  return {
    name: 'lighter',
    version: await versionOf(cri),
    cri,
    socketPath: scratch.socketPath,
    scratch,
    image: registry.busybox,
    fakeHandler: 'fake',
    restart: { kill: () => daemon.kill(), start: () => daemon.start() },
    publish(name, tag, image) {
      registry.put(name, tag, image)
      return `registry.k8s.io/${name}:${tag}`
    },
    daemonPid: () => Promise.resolve(daemon.pid()),
    async clear() {
      await revive()
      await removePods(cri)
    },
    async close() {
      // Ctrl-C in a terminal ends the daemon, too.
      await revive()
      await closeWorld(world)
    },
  }
}
