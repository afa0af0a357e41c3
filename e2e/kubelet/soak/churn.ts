import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { shell } from '../manifests.ts'
import { statusOf } from '../pod-status.ts'
import { until } from '../until.ts'

/** Pods that come and go, one after the other. */
export interface Churn {
  /** Pods that did what they should. */
  finished(): number
  /** Waits for the last one; answers what went wrong. */
  stop(): Promise<readonly string[]>
}

const pauseMs = 2_000

export function createChurn(cluster: Cluster): Churn {
  const { api, make } = cluster
  const problems: string[] = []
  let finished = 0
  const stopping = new AbortController()
  const one = async (name: string): Promise<void> => {
    const main = make.container('main', { command: shell('echo here; sleep 1; echo done') })
    const pod = make.pod(name, { restartPolicy: 'Never', containers: [main] })
    await api.create(pod)
    const end = await api.podWhen(name, 'has ended', ({ status }) =>
      /Succeeded|Failed/.test(status?.phase ?? ''),
    )
    const { exitCode, reason } = statusOf(end)?.state?.terminated ?? {}
    if (exitCode !== 0) problems.push(`pod ${name} ended with ${String(exitCode)} (${reason ?? ''})`)
    // The kubelet answers with an excuse while it cannot ask lighterd.
    await until(`pod ${name} has the right log`, {
      ask: () => api.log(name),
      accept: log => log === 'here\ndone\n',
    })
    await api.remove(pod)
    finished++
  }
  const ended = (async () => {
    for (let i = 0; !stopping.signal.aborted; i++) {
      try {
        await one(`churn-${String(i)}`)
      } catch (err) {
        problems.push(String(err))
      }
      await delay(pauseMs)
    }
  })()
  return {
    finished: () => finished,
    async stop() {
      stopping.abort()
      await ended
      return problems
    },
  }
}
