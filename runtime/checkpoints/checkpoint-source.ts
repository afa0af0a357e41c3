import { join } from 'node:path'
import type { CheckpointSource } from '../containers/checkpoint-source.ts'
import type { CriuFinder } from './criu.ts'
import { errorsInLog } from './criu-log.ts'
import { type OpenDeps, openCheckpoint } from './open-checkpoint.ts'

export function createCheckpointSource(deps: OpenDeps & { readonly criu: CriuFinder }): CheckpointSource {
  return {
    async open(ctx, archive) {
      await deps.criu.find(ctx)
      return openCheckpoint(ctx, deps, archive)
    },
    criuDirectory: async ctx => (await deps.criu.find(ctx)).directory,
    restoreErrors: bundlePath => errorsInLog(join(bundlePath, 'restore.log')),
  }
}
