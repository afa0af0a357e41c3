import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathExists } from '#base/files'
import { eventually } from './eventually.ts'
import { freePort, get } from './http.ts'
import { prometheusPath } from './paths.ts'
import type { Scratch } from './scratch.ts'

/** A real Prometheus that scrapes one target once a second. */
export interface Prometheus {
  /** The value that an instant query answers now; undefined when it answers none. */
  query(expression: string): Promise<number | undefined>
  stop(): Promise<void>
}

/** Why Prometheus cannot be run here, as the reason of a skipped test; false if it can. */
export async function whyNoPrometheus(): Promise<string | false> {
  return (await pathExists(prometheusPath)) ? false : 'machine cannot: no package prometheus to be had'
}

/** The caller stops it. */
export async function startPrometheus(scratch: Scratch, target: string): Promise<Prometheus> {
  const config = join(scratch.dir, 'prometheus.yml')
  await writeFile(
    config,
    `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: lighter, static_configs: [{targets: ['${target}']}]}]
`,
  )
  const port = await freePort()
  const base = `http://127.0.0.1:${String(port)}`
  const child = spawn(
    prometheusPath,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(scratch.dir, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${String(port)}`,
    ],
    { stdio: 'ignore' },
  )
  const ended = new Promise<void>(resolve => {
    child.once('error', () => {
      resolve()
    })
    child.once('exit', () => {
      resolve()
    })
  })
  async function stop(): Promise<void> {
    child.kill('SIGKILL')
    await ended
  }
  try {
    await eventually('Prometheus is ready', async () => {
      return (await get(`${base}/-/ready`).catch(() => '')) !== ''
    })
  } catch (err) {
    await stop()
    throw err
  }
  return {
    async query(expression) {
      const answer: unknown = JSON.parse(
        await get(`${base}/api/v1/query?query=${encodeURIComponent(expression)}`),
      )
      return firstValue(answer)
    },
    stop,
  }
}

interface QueryAnswer {
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
}

function firstValue(answer: unknown): number | undefined {
  const [first] = (answer as QueryAnswer).data.result
  return first && Number(first.value[1])
}
