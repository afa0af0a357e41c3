import { join } from 'node:path'
import type { CheckpointSource } from '../containers/checkpoint-source.ts'
import type { ImageStore } from '../images/image-store.ts'
import type { CriuFinder } from './criu.ts'
import { errorsInLog } from './criu-log.ts'
import { type OpenDeps, openArchive, openLayer } from './open-checkpoint.ts'

export interface CheckpointSourceDeps extends OpenDeps {
  readonly criu: CriuFinder
  readonly images: Pick<ImageStore, 'checkpointLayer'>
  /** Whoever may pull images may then choose what a process is and may do. */
  readonly takesImages: boolean
}

export function createCheckpointSource(deps: CheckpointSourceDeps): CheckpointSource {
  return {
    async open(ctx, archive) {
      await deps.criu.find(ctx)
      return openArchive(ctx, deps, archive)
    },
    async openImage(ctx, id) {
      const layer = deps.takesImages ? await deps.images.checkpointLayer(id) : undefined
      if (layer === undefined) return undefined
      await deps.criu.find(ctx)
      return openLayer(ctx, deps, layer)
    },
    criuDirectory: async ctx => (await deps.criu.find(ctx)).directory,
    restoreErrors: bundlePath => errorsInLog(join(bundlePath, 'restore.log')),
  }
}
