import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { busyboxImage, webServerImage } from '../../deploy/demo/busybox-image.ts'
import type { BuiltImage } from '../../deploy/demo/image-builder.ts'
import { createRegistry, type RegistryOptions, type RegistryRequest } from '../../deploy/demo/registry.ts'
import type { Faults } from '../../deploy/demo/registry-faults.ts'
import type { Scratch } from './scratch.ts'

/** A registry that runs on loopback. */
export interface RunningRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly faults: Faults
  /** Serves the image; answers its reference, `127.0.0.1:PORT/NAME:TAG`. */
  put(name: string, tag: string, image: BuiltImage): string
  requests(): readonly RegistryRequest[]
  stop(): Promise<void>
}

/** The registry of a world with the images that most tests use, by names that go through a mirror. */
export interface E2eRegistry extends RunningRegistry {
  /** A shell with all of busybox. */
  readonly busybox: string
  /** A web server on port 80. */
  readonly webServer: string
  /** ENTRYPOINT ["/bin/echo", "entry"], CMD ["cmd"]. */
  readonly printer: string
}

const mirrored = 'registry.k8s.io'

/** The caller stops it. */
export async function runRegistry(options: RegistryOptions = {}): Promise<RunningRegistry> {
  const registry = createRegistry(options)
  await registry.start()
  return {
    host: registry.host(),
    faults: registry.faults,
    requests: () => registry.requests(),
    put(name, tag, image) {
      registry.put(name, tag, image)
      return `${registry.host()}/${name}:${tag}`
    },
    stop: () => registry.stop(),
  }
}

/** Starts the registry of a world and writes the mirror for registry.k8s.io. The caller stops it. */
export async function startRegistry(scratch: Scratch): Promise<E2eRegistry> {
  const registry = await runRegistry()
  registry.put('e2e/busybox', '1', await busyboxImage())
  registry.put('e2e/web', '1', await webServerImage())
  registry.put('e2e/printer', '1', await busyboxImage({ entrypoint: ['/bin/echo', 'entry'], cmd: ['cmd'] }))
  const url = `http://${registry.host}`
  const dir = join(scratch.certsDir, mirrored)
  await mkdir(dir, { recursive: true })
  await writeFile(
    join(dir, 'hosts.toml'),
    `server = "${url}"\n\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`,
  )
  return {
    ...registry,
    busybox: `${mirrored}/e2e/busybox:1`,
    webServer: `${mirrored}/e2e/web:1`,
    printer: `${mirrored}/e2e/printer:1`,
  }
}
