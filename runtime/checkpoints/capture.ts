import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ctx } from '#base/context'
import { fileError } from '#base/files'
import type { ContainerDeps } from '../containers/container-deps.ts'
import type { Container } from '../model/container.ts'
import { readBundle } from '../oci/bundle.ts'
import { listChangedFiles } from './changed-files.ts'
import type { Criu } from './criu.ts'
import { type ConfigDump, configDumpText, specDumpText } from './dumps.ts'
import { layout } from './layout.ts'
import { dumpProcesses, type RuntimeContainer } from './oci-runtime.ts'
import { writeTar } from './tar.ts'

export interface CaptureInput {
  readonly container: Container
  readonly runtime: { readonly name: string; readonly container: RuntimeContainer }
  readonly criu: Criu
  /** Made here; gets everything that the archive consists of. */
  readonly directory: string
  readonly timeoutMs: number
}

/** Name of a file in the capture that is not for the archive. */
const changedList = 'changed.list'

/** Members of the archive: those that say what it is come first, so that they are found at once. */
const members = [
  layout.config,
  layout.spec,
  layout.deleted,
  layout.dumpLog,
  layout.dumpStatistics,
  layout.images,
  layout.changes,
]

/**
 * Captures a paused container: its processes, and what it changed in its root file system. On error the directory holds
 * a part. Errors: those of dumpProcesses and writeTar.
 */
export async function captureContainer(ctx: Ctx, deps: ContainerDeps, input: CaptureInput): Promise<void> {
  const { container, directory, timeoutMs } = input
  try {
    await mkdir(join(directory, layout.images), { recursive: true, mode: 0o700 })
  } catch (err) {
    throw fileError(`cannot make ${directory}`, err)
  }
  await dumpProcesses(ctx, deps.host, {
    container: input.runtime.container,
    criu: input.criu,
    directory,
    timeoutMs,
  })
  const paths = deps.paths.container(container.id)
  const { upper, layers } = deps.images.rootfs.layersOf(container.id)
  const listPath = join(directory, changedList)
  const deleted = await listChangedFiles({ upper, layers, merged: paths.rootfs }, listPath)
  await writeText(join(directory, layout.changes), '')
  await writeTar(ctx, deps.host, {
    archive: join(directory, layout.changes),
    directory: upper,
    members: { listPath },
    timeoutMs,
  })
  await writeText(join(directory, layout.deleted), JSON.stringify(deleted))
  await writeText(join(directory, layout.config), configDumpText(describe(deps, input)))
  await writeText(join(directory, layout.spec), specDumpText(await readBundle(paths.bundle)))
}

/** Packs what captureContainer left into an archive; the file exists, with the mode that it is to have. */
export async function packCapture(
  ctx: Ctx,
  deps: Pick<ContainerDeps, 'host'>,
  input: { readonly directory: string; readonly archive: string; readonly timeoutMs: number },
): Promise<void> {
  await writeTar(ctx, deps.host, { ...input, members })
}

function describe(deps: ContainerDeps, { container, runtime }: CaptureInput): ConfigDump {
  const { config, imageId, imageRef } = container
  const image = deps.images.find(imageId)
  return {
    id: container.id,
    name: config.metadata.name,
    rootfsImage: imageId,
    rootfsImageRef: imageRef,
    rootfsImageName: config.userSpecifiedImage || (image?.repoTags[0] ?? config.image),
    runtime: runtime.name,
    createdTime: rfc3339(container.createdAtNs),
    checkpointedTime: rfc3339(deps.clock.now()),
  }
}

function rfc3339(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString()
}

async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 })
  } catch (err) {
    throw fileError(`cannot write ${path}`, err)
  }
}
