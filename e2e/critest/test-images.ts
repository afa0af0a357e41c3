import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { busyboxLayer } from '../../deploy/demo/busybox-image.ts'
import {
  type BuiltImage,
  buildImage,
  type ImageConfigSpec,
  type LayerSpec,
  localPlatform,
} from '../../deploy/demo/image-builder.ts'
import type { LayerEntry } from '../../deploy/demo/tar-writer.ts'
import { compileTestPrograms, type TestPrograms } from './programs.ts'
import { shellLayer } from './shell-layer.ts'

/** What takes the images: a registry of ours. */
export interface ImageSink {
  put(name: string, tag: string, image: BuiltImage): unknown
}

/** Registries whose images these are: a daemon needs a mirror for each. */
export const mirroredRegistries = ['registry.k8s.io', 'k8s.gcr.io', 'gcr.io'] as const

const searchPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const e2e = 'e2e-test-images'
const staging = 'k8s-staging-cri-tools'

/**
 * Builds the images that the upstream conformance suite (and the kubelet's) pulls, under their upstream names and
 * tags, and puts them into the registry. One is pulled by the digest that it has upstream, which cannot be made again:
 * answers the digest that it has here.
 */
export async function createTestImages(registry: ImageSink): Promise<string> {
  const [base, shell, programs] = await Promise.all([busyboxLayer(), shellLayer(), compileTestPrograms()])
  const build = imageFactory([base, shell])
  await putServers(registry, programs, build)
  const digest = await putMarked(registry, build)
  await putUsers(registry, build)
  for (const version of ['3.9', '3.10']) registry.put('pause', version, await pauseImage(programs, version))
  return digest
}

/** Tells a daemon (registries.certsDir) that the registry at `host` has the images of all these registries. */
export async function writeMirrors(certsDir: string, host: string): Promise<void> {
  for (const name of mirroredRegistries) {
    const dir = join(certsDir, name)
    await mkdir(dir, { recursive: true })
    await writeFile(
      join(dir, 'hosts.toml'),
      `server = "http://${host}"\n\n[host."http://${host}"]\n  capabilities = ["pull", "resolve"]\n`,
    )
  }
}

/** Versions differ, so that the one that a runtime or a kubelet uses is not the one that the suite removes. */
async function pauseImage(programs: TestPrograms, version: string): Promise<BuiltImage> {
  return buildImage({
    layers: [{ entries: [{ type: 'file', path: 'pause', content: programs.pause, mode: 0o755 }] }],
    config: { entrypoint: ['/pause'], user: '65535:65535', labels: { version } },
  })
}

type Factory = (config: ImageConfigSpec, entries?: readonly LayerEntry[]) => Promise<BuiltImage>

/** Makes images that have the layers in common; entries become a layer of their own. */
function imageFactory(layers: readonly LayerSpec[]): Factory {
  return (config, entries = []) =>
    buildImage({
      layers: [...layers, ...(entries.length > 0 ? [{ entries }] : [])],
      config: { env: [searchPath], cmd: ['sh'], ...config },
    })
}

async function putServers(registry: ImageSink, programs: TestPrograms, build: Factory): Promise<void> {
  const { architecture } = localPlatform()
  const server = (path: string): LayerEntry => ({
    type: 'file',
    path,
    content: programs.webServer,
    mode: 0o755,
  })
  const nginx = (port: string, extra: readonly string[] = []): ImageConfigSpec => ({
    cmd: ['nginx', port, 'Welcome to nginx!', '/var/run/nginx.pid', ...extra],
    exposedPorts: [`${port}/tcp`],
    stopSignal: 'SIGTERM',
  })
  registry.put(`${e2e}/busybox`, '1.29-2', await build({}))
  registry.put(
    `${e2e}/nginx`,
    '1.14-2',
    await build(nginx('80', ['master process']), [server('usr/sbin/nginx')]),
  )
  registry.put(
    `${e2e}/httpd`,
    '2.4.39-4',
    await build(
      { cmd: ['httpd-server', '80', 'It works!', '/var/run/httpd.pid'], exposedPorts: ['80/tcp'] },
      [server('usr/sbin/httpd-server')],
    ),
  )
  registry.put(
    `${staging}/hostnet-nginx-${architecture}`,
    'latest',
    await build(nginx('12003'), [server('usr/sbin/nginx')]),
  )
  registry.put(
    `${e2e}/nonewprivs`,
    '1.3',
    await build({ cmd: ['/effective-uid'] }, [
      { type: 'file', path: 'effective-uid', content: programs.effectiveUid, mode: 0o4755 },
    ]),
  )
}

/** Images that differ in one file, or not at all. Answers the digest of the one that is pulled by it. */
async function putMarked(registry: ImageSink, build: Factory): Promise<string> {
  const marked = (name: string) => build({}, [{ type: 'file', path: name, content: `${name}\n` }])
  for (const name of ['test-image-1', 'test-image-2', 'test-image-3', 'test-image-latest']) {
    registry.put(`${staging}/${name}`, 'latest', await marked(name))
  }
  for (const tag of ['test', 'all']) {
    registry.put(`${staging}/test-image-tag`, tag, await marked(`test-image-tag-${tag}`))
  }
  const tags = await marked('test-image-tags')
  for (const tag of ['1', '2', '3']) registry.put(`${staging}/test-image-tags`, tag, tags)
  const digested = await marked('test-image-digest')
  registry.put(`${staging}/test-image-digest`, 'latest', digested)
  return digested.digest
}

async function putUsers(registry: ImageSink, build: Factory): Promise<void> {
  const users = {
    'user-uid': '1002',
    'user-username': 'www-data',
    'user-uid-group': '1003:1004',
    'user-username-group': 'www-data:1004',
    'predefined-group': '1000',
  } as const
  for (const [name, user] of Object.entries(users)) {
    registry.put(`${staging}/test-image-${name}`, 'latest', await build({ user }))
  }
}
