import { messageOf, RuntimeError } from '#base/errors'
import type { Log } from '#base/log'
import type { PluginEvent } from '../session/events.ts'
import type { PluginSession } from '../session/plugin-session.ts'

/** Plugins that are synchronized, by index and then in the order in which they came. */
export interface PluginSet {
  /** Errors: `resource-exhausted`. It leaves by itself when its connection ends. */
  add(session: PluginSession): void
  all(): readonly PluginSession[]
  /** Does anybody want to hear of this? */
  handles(...events: readonly { readonly bit: number }[]): boolean
  /** Tells all, in order; stops at the first that refuses and throws what it says. */
  ask<Request, Response>(event: PluginEvent<Request, Response>, request: Request): Promise<void>
  /** Tells all, in order, whatever they answer. */
  tell<Request, Response>(event: PluginEvent<Request, Response>, request: Request): Promise<void>
}

/** More would be a mistake: each of them can hold up every pod. */
const maxPlugins = 64

export function createPluginSet(log: Log): PluginSet {
  let sessions: readonly PluginSession[] = []

  return {
    add(session) {
      if (sessions.length >= maxPlugins) {
        throw new RuntimeError('resource-exhausted', `there are ${maxPlugins} NRI plugins already`)
      }
      sessions = [...sessions, session].sort((a, b) => Number(a.index) - Number(b.index))
      void session.closed.then(reason => {
        sessions = sessions.filter(other => other !== session)
        log.warn({ plugin: session.fullName, reason: reason.message }, 'NRI plugin is gone')
      })
    },
    all: () => sessions,
    handles: (...events) => sessions.some(session => events.some(event => session.handles(event))),
    async ask(event, request) {
      for (const session of sessions) await session.ask(event, request)
    },
    async tell(event, request) {
      for (const session of sessions) {
        try {
          await session.ask(event, request)
        } catch (err) {
          log.error(
            { plugin: session.fullName, err: messageOf(err) },
            'NRI plugin fails what cannot be undone',
          )
        }
      }
    },
  }
}
