import { type Ctx, detached } from '#base/context'
import { messageOf, withContext } from '#base/errors'
import type { Log } from '#base/log'
import type { Gate } from '../plugins/gate.ts'
import type { PluginSet } from '../plugins/plugin-set.ts'
import type { Subjects } from '../plugins/subjects.ts'
import { synchronize } from '../plugins/synchronize.ts'
import type { Updates } from '../plugins/updates.ts'
import type { PluginSession } from '../session/plugin-session.ts'
import { type PluginSocket, type RegisterDeps, registerPlugin } from '../session/register.ts'

export interface JoinDeps {
  readonly registration: RegisterDeps
  readonly gate: Gate
  readonly plugins: PluginSet
  readonly subjects: Subjects
  readonly updates: Updates
  readonly log: Log
}

/** What a plugin wanted when it saw everything may take this long. */
const firstUpdatesMs = 30_000

/**
 * Makes a connection a plugin: it registers, is configured, learns everything that is there, and hears of everything
 * from then on. Nothing happens to any pod between the last two. Errors: what went wrong; the connection is closed.
 */
export async function joinPlugin(deps: JoinDeps, ctx: Ctx, socket: PluginSocket): Promise<PluginSession> {
  const { gate, plugins, subjects, log } = deps
  const session = await registerPlugin(deps.registration, socket)
  try {
    const wanted = await gate.exclusive(async () => {
      const updates = await synchronize(
        session,
        await subjects.snapshot(),
        deps.registration.registrationTimeoutMs,
      )
      plugins.add(session)
      return updates
    })
    log.info(
      { plugin: session.fullName, isPreinstalled: socket.preinstalled !== undefined },
      'NRI plugin is here',
    )
    await deps.updates.applyAll(detached(ctx, firstUpdatesMs), wanted)
    return session
  } catch (err) {
    const failure = withContext(`NRI plugin "${session.fullName}" cannot be synchronized`, err)
    session.close(failure)
    log.debug({ err: messageOf(err) }, failure.message)
    throw failure
  }
}
