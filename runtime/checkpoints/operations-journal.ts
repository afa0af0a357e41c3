import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import type { Ctx } from '#base/context'
import { errnoOf, messageOf } from '#base/errors'
import { fileError, makeDirectory, removePath, writeFileAtomic } from '#base/files'
import type { Host } from '#shim/host'
import { resumeContainer } from './oci-runtime.ts'

/** What has to be put right if the daemon dies during an operation. */
const entry = v.object({
  version: v.literal(1),
  /** Paused: they have to go on. */
  containers: v.array(
    v.object({
      id: v.string(),
      runtimePath: v.string(),
      runtimeRoot: v.string(),
      hasSystemdCgroup: v.boolean(),
    }),
  ),
  /** Half-made files and directories. */
  partial: v.array(v.string()),
})

export type JournalEntry = Omit<v.InferOutput<typeof entry>, 'version'>

export interface OperationsJournal {
  /**
   * Notes an operation before its first side effect; answers a directory of its own, ROOT/checkpoints/TOKEN, for what
   * it needs until it ends.
   */
  begin(token: string, entry: JournalEntry): Promise<string>
  /** All of it has been put right, or done: removes the directory. */
  end(ctx: Ctx, token: string): Promise<void>
  /** Puts right what a dead daemon began. What fails is logged, and tried again at the next start. */
  recover(ctx: Ctx): Promise<void>
}

const fileName = 'operation.json'

export function createOperationsJournal(
  directory: string,
  host: Pick<Host, 'run' | 'removeTree'>,
): OperationsJournal {
  async function end(ctx: Ctx, token: string): Promise<void> {
    await host.removeTree(ctx, [join(directory, token)])
  }

  async function recoverOne(ctx: Ctx, token: string): Promise<void> {
    const text = await readFile(join(directory, token, fileName), 'utf8').catch((err: unknown) => {
      if (errnoOf(err) === 'ENOENT') return undefined
      throw fileError(`cannot read ${join(directory, token, fileName)}`, err)
    })
    const { containers, partial } =
      text === undefined ? { containers: [], partial: [] } : v.parse(entry, JSON.parse(text))
    for (const container of containers) await resumeContainer(ctx, host, container)
    for (const path of partial) await removePath(path)
    await end(ctx, token)
    ctx.log.info({ token, containers: containers.map(({ id }) => id), partial }, 'checkpoint undone')
  }

  return {
    async begin(token, { containers, partial }) {
      const own = join(directory, token)
      try {
        await mkdir(own, { recursive: true, mode: 0o700 })
      } catch (err) {
        throw fileError(`cannot make ${own}`, err)
      }
      const text = JSON.stringify({ version: 1, containers, partial })
      await writeFileAtomic(join(own, fileName), text, { mode: 0o600, durability: 'process death' })
      return own
    },
    end,
    async recover(ctx) {
      await makeDirectory(directory, 0o700)
      for (const token of await readdir(directory)) {
        try {
          await recoverOne(ctx, token)
        } catch (err) {
          ctx.log.error({ token, err: messageOf(err) }, 'a checkpoint that was interrupted cannot be undone')
        }
      }
    },
  }
}
