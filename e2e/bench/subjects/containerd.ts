import { writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { pathExists } from '#base/files'
import { buildImage } from '../../../deploy/demo/image-builder.ts'
import { compileTestPrograms } from '../../critest/programs.ts'
import { connect } from '../../harness/cri.ts'
import { cniBinDirs, projectDir } from '../../harness/paths.ts'
import { pidsOf } from '../../harness/processes.ts'
import { mustRun } from '../../harness/program.ts'
import { reboot } from '../../harness/reboot.ts'
import { type E2eRegistry, startRegistry } from '../../harness/registry.ts'
import { createScratch, removeScratch, type Scratch } from '../../harness/scratch.ts'
import { removePods } from '../../harness/world.ts'
import { createPeerDaemon, type PeerDaemon } from './peer-daemon.ts'
import type { Subject } from './subject.ts'
import { versionOf } from './version.ts'

const peersDir = join(projectDir, '.cache', 'peers')
const pauseImage = 'registry.k8s.io/e2e/pause:1'

/** The containerd of this machine, built by peers.sh or in PATH; undefined if there is none that the bench can run. */
export async function findContainerd(): Promise<string | undefined> {
  const dirs = [peersDir, ...(process.env['PATH'] ?? '').split(delimiter)]
  for (const dir of dirs) {
    const path = join(dir, 'containerd')
    const shim = join(dir, 'containerd-shim-runc-v2')
    if (!(await pathExists(path)) || !(await pathExists(shim))) continue
    if (/ v?2\./.test(await mustRun([path, '--version']))) return path
  }
  return undefined
}

/** Starts a containerd with directories and a network of its own. */
export async function openContainerd(path: string, fakeRuntime: string): Promise<Subject> {
  const scratch = await createScratch()
  const registry = await startRegistry(scratch)
  await publishPause(registry)
  const configPath = join(scratch.dir, 'containerd.toml')
  await writeFile(configPath, configOf(scratch, fakeRuntime))
  const daemon = createPeerDaemon({
    argv: [path, '--config', configPath],
    logPath: join(scratch.dir, 'containerd.log'),
    socketPath: scratch.socketPath,
    searchPath: dirname(path),
  })
  const cri = connect(scratch.socketPath)
  const release = async (): Promise<void> => {
    cri.close()
    await daemon.stop()
    await registry.stop()
    await reboot.all(scratch)
    await killShims(scratch)
    await removeScratch(scratch)
  }
  try {
    await daemon.start()
    await cri.pull(pauseImage)
    await cri.pull(registry.busybox)
    return {
      ...{ name: 'containerd', version: await versionOf(cri), cri, socketPath: scratch.socketPath, scratch },
      ...{ image: registry.busybox, fakeHandler: 'fake', restart: daemon },
      publish(name, tag, image) {
        registry.put(name, tag, image)
        return `registry.k8s.io/${name}:${tag}`
      },
      daemonPid: () => Promise.resolve(daemon.pid()),
      async clear() {
        await revive(daemon)
        await removePods(cri)
      },
      async close() {
        try {
          await revive(daemon)
          await removePods(cri)
        } finally {
          await release()
        }
      },
    }
  } catch (err) {
    await release()
    throw err
  }
}

async function revive(daemon: PeerDaemon): Promise<void> {
  if (!daemon.isRunning()) await daemon.start()
}

async function publishPause(registry: E2eRegistry): Promise<void> {
  const { pause } = await compileTestPrograms()
  const entries = [{ type: 'file', path: 'pause', content: pause, mode: 0o755 }] as const
  registry.put(
    'e2e/pause',
    '1',
    await buildImage({ layers: [{ entries }], config: { entrypoint: ['/pause'] } }),
  )
}

async function killShims(scratch: Scratch): Promise<void> {
  for (const pid of await pidsOf('containerd-shim', scratch.socketPath)) process.kill(pid, 'SIGKILL')
}

/** Version 3 of the configuration. What is not said here is as containerd has it by default. */
function configOf(scratch: Scratch, fakeRuntime: string): string {
  const images = `plugins.'io.containerd.cri.v1.images'`
  const runtime = `plugins.'io.containerd.cri.v1.runtime'`
  const handler = (name: string, binary: string): readonly string[] => [
    `[${runtime}.containerd.runtimes.${name}]`,
    `runtime_type = 'io.containerd.runc.v2'`,
    `[${runtime}.containerd.runtimes.${name}.options]`,
    `BinaryName = '${binary}'`,
    `Root = '${join(scratch.stateDir, name)}'`,
  ]
  const lines = [
    'version = 3',
    `root = '${scratch.rootDir}'`,
    `state = '${scratch.stateDir}'`,
    `disabled_plugins = ['io.containerd.nri.v1.nri']`,
    '[grpc]',
    `address = '${scratch.socketPath}'`,
    '[ttrpc]',
    `address = '${scratch.socketPath}.ttrpc'`,
    `[plugins.'io.containerd.internal.v1.opt']`,
    `path = '${join(scratch.dir, 'opt')}'`,
    `[${images}.pinned_images]`,
    `sandbox = '${pauseImage}'`,
    `[${images}.registry]`,
    `config_path = '${scratch.certsDir}'`,
    `[${runtime}]`,
    'restrict_oom_score_adj = true',
    'netns_mounts_under_state_dir = true',
    `[${runtime}.cni]`,
    `bin_dirs = [${cniBinDirs.map(dir => `'${dir}'`).join(', ')}]`,
    `conf_dir = '${scratch.cniConfDir}'`,
    `[${runtime}.containerd]`,
    `default_runtime_name = 'runc'`,
    ...handler('runc', 'runc'),
    ...handler('fake', fakeRuntime),
  ]
  return `${lines.join('\n')}\n`
}
