import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ContainerId, parseContainerId } from '#base/ids'
import { silentLog } from '#base/log'
import type { Host } from '#shim/host'
import type { RuntimeHandlerConfig } from '../../engine-config.ts'
import { cgroupDirectories } from '../../host/cgroup-paths.ts'
import { gatherHostFacts } from '../../host/host-facts.ts'
import type { ContainerConfig, ContainerSecurity } from '../../model/container.ts'
import type { ImageConfig } from '../../model/image.ts'
import type { PodConfig } from '../../model/pod.ts'
import { createFakeHost } from '../../testing/fake-host.ts'
import { createCdiDevices } from '../cdi/cdi-devices.ts'
import { type PreparedBundle, prepareBundle } from '../prepare-bundle.ts'
import { sampleConfig, sampleHandler, sampleImage, samplePod, sampleSecurity } from './samples.ts'

const run = promisify(execFile)
const applets = [
  'sh',
  'cat',
  'id',
  'ls',
  'mount',
  'touch',
  'grep',
  'env',
  'hostname',
  'readlink',
  'mkdir',
  'chmod',
]
const limits = { runMs: 30_000 } as const
/** Parent of the containers' cgroups. */
const testCgroup = `/lighter-oci-test-${process.pid}`

/** A directory with a pod's pinned namespaces and files and an unpacked image, for containers of a test. */
export interface TestPod {
  readonly directory: string
  readonly rootfs: string
  /** Prepares a bundle and runs it to its end with the real runc. */
  run(change: TestContainer): Promise<TestResult>
  /** Prepares a bundle and starts it; remove() kills it. */
  start(change: TestContainer): Promise<{ readonly id: string; readonly runtimeRoot: string }>
  remove(): Promise<void>
}

export interface TestContainer {
  readonly command?: readonly string[]
  readonly config?: Partial<ContainerConfig>
  readonly security?: Partial<ContainerSecurity>
  readonly image?: Partial<ImageConfig>
  readonly pod?: Partial<PodConfig>
  readonly targetPid?: number
  readonly signal?: AbortSignal
  readonly handler?: Partial<RuntimeHandlerConfig>
  /** Called when the bundle is made and before it runs. */
  readonly prepared?: (bundle: PreparedBundle) => void
}

interface TestResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  readonly bundle: PreparedBundle
}

/** The caller must remove it. */
export async function createTestPod(): Promise<TestPod> {
  const directory = await mkdtemp(join(tmpdir(), 'lighter-oci-'))
  const rootfs = join(directory, 'rootfs')
  await makeRootfs(rootfs)
  await makePodFiles(directory)
  return {
    directory,
    rootfs,
    run: change => runContainer(directory, change),
    start: change => startContainer(directory, change),
    async remove() {
      await removeContainers(join(directory, 'runc'))
      const pins = ['net', 'ipc', 'uts', 'shm'].map(name => join(directory, name))
      for (const pin of pins) await run('umount', ['-l', pin]).catch(() => undefined)
      await removeTestCgroup()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function makeRootfs(rootfs: string): Promise<void> {
  for (const name of ['bin', 'etc', 'tmp', 'data']) await mkdir(join(rootfs, name), { recursive: true })
  await copyFile('/bin/busybox', join(rootfs, 'bin/busybox'))
  await chmod(join(rootfs, 'tmp'), 0o1777)
  await run('sh', [
    '-c',
    `for a in ${applets.join(' ')}; do ln "$0/busybox" "$0/$a"; done`,
    join(rootfs, 'bin'),
  ])
  await writeFile(
    join(rootfs, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nmaat:x:1000:1000::/home/maat:/bin/sh\n',
  )
  await writeFile(
    join(rootfs, 'etc/group'),
    'root:x:0:\nmaat:x:1000:\ndeck:x:2000:maat\nhold:x:3000:maat,root\n',
  )
}

async function makePodFiles(directory: string): Promise<void> {
  const pins = ['net', 'ipc', 'uts'].map(name => join(directory, name))
  for (const pin of pins) await writeFile(pin, '')
  const [net, ipc, uts] = pins
  const binds = `mount --bind /proc/self/ns/net ${net}; mount --bind /proc/self/ns/ipc ${ipc}; mount --bind /proc/self/ns/uts ${uts}`
  await run('unshare', ['--net', '--ipc', '--uts', 'sh', '-ec', `hostname shop; ${binds}`])
  await mkdir(join(directory, 'shm'))
  await run('mount', ['-t', 'tmpfs', '-o', 'mode=1777,size=1m', 'shm', join(directory, 'shm')])
  await writeFile(join(directory, 'hosts'), '10.1.2.3 shop\n')
  await writeFile(join(directory, 'hostname'), 'shop\n')
  await writeFile(join(directory, 'resolv.conf'), 'nameserver 10.0.0.10\n')
}

async function runContainer(directory: string, change: TestContainer): Promise<TestResult> {
  const { id, bundle } = await makeBundle(directory, change)
  return { ...(await runBundle(directory, id)), bundle }
}

async function startContainer(directory: string, change: TestContainer): ReturnType<TestPod['start']> {
  const { id } = await makeBundle(directory, change)
  const runtimeRoot = join(directory, 'runc')
  const args = ['--root', runtimeRoot, 'run', '--detach', '--bundle', join(directory, id), id]
  await run('sh', ['-c', 'exec runc "$@" </dev/null >/dev/null 2>&1', 'sh', ...args])
  return { id, runtimeRoot }
}

async function makeBundle(
  directory: string,
  change: TestContainer,
): Promise<{ readonly id: ContainerId; readonly bundle: PreparedBundle }> {
  const id = parseContainerId(randomBytes(32).toString('hex'))
  const bundlePath = join(directory, id)
  await mkdir(bundlePath)
  const inPod = (name: string): string => join(directory, name)
  const config = { ...sampleConfig, command: change.command ?? ['sh', '-c', 'true'], ...change.config }
  const bundle = await prepareBundle(
    { signal: change.signal ?? new AbortController().signal, log: silentLog },
    {
      facts: await gatherHostFacts({ cgroupDriver: 'auto' }),
      host: {
        ...createFakeHost(),
        readInRoot,
        bind: () => Promise.reject(new Error('no volume is prepared here')),
      },
      handlerOptions: () => ({ ...sampleHandler, ...change.handler }),
      cdiDevices: createCdiDevices([join(directory, 'cdi')]),
      anonymousVolumesPath: () => join(directory, `${id}-volumes`),
    },
    {
      id,
      config: { ...config, security: { ...sampleSecurity, ...change.security } },
      pod: samplePod({ cgroupParent: testCgroup, ...change.pod }),
      podPaths: {
        network: inPod('net'),
        ipc: inPod('ipc'),
        uts: inPod('uts'),
        pid: inPod('pid'),
        user: inPod('user'),
        shm: inPod('shm'),
        hosts: inPod('hosts'),
        hostname: inPod('hostname'),
        resolvConf: inPod('resolv.conf'),
      },
      hostname: 'shop',
      image: { ...sampleImage, ...change.image },
      imageName: 'example.org/web:1',
      bundlePath,
      rootfsPath: join(directory, 'rootfs'),
      volumesPath: join(bundlePath, 'volumes'),
      targetPid: change.targetPid,
      hasRecursiveReadOnlyMounts: true,
      adjust: spec => Promise.resolve({ spec, cdiDevices: [], resources: undefined }),
    },
  )
  change.prepared?.(bundle)
  return { id, bundle }
}

async function runBundle(directory: string, id: string): Promise<Omit<TestResult, 'bundle'>> {
  const root = ['--root', join(directory, 'runc')]
  try {
    const ended = await run('runc', [...root, 'run', '--bundle', join(directory, id), id], {
      timeout: limits.runMs,
    })
    return { ...ended, exitCode: 0 }
  } catch (err) {
    if (!isFailedRun(err)) throw err
    return { stdout: err.stdout, stderr: err.stderr, exitCode: err.code }
  } finally {
    await run('runc', [...root, 'delete', '--force', id]).catch(() => undefined)
  }
}

async function removeContainers(runtimeRoot: string): Promise<void> {
  for (const id of await readdir(runtimeRoot).catch(() => [])) {
    await run('runc', ['--root', runtimeRoot, 'delete', '--force', id]).catch(() => undefined)
  }
}

async function removeTestCgroup(): Promise<void> {
  const { cgroups } = await gatherHostFacts({ cgroupDriver: 'auto' })
  for (const path of cgroupDirectories(cgroups, testCgroup)) await rmdir(path).catch(() => undefined)
}

interface FailedRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function isFailedRun(err: unknown): err is FailedRun {
  return err instanceof Error && 'stdout' in err && 'code' in err && typeof err.code === 'number'
}

/** Enough for a root file system that the test made itself. */
const readInRoot: Host['readInRoot'] = async (_ctx, root, path) => readFile(join(root, path))
