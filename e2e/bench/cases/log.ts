import { mkdir, open, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { containerConfig } from '../../harness/configs.ts'
import { type Bench, type BenchCase, interleave } from '../bench.ts'
import { removePod } from '../pods.ts'
import { cpuMs, keptProcesses } from '../processes.ts'
import { benchPod, type Subject } from '../subjects/subject.ts'

const lineBytes = 80
const lastLine = 'END-OF-THE-LOG'
const lookMs = 5
const logTimeoutMs = 600_000
const megabyte = 1_000_000
const tailBytes = 256

export const log: BenchCase = {
  name: 'log',
  title: `lines of ${lineBytes} bytes from a container into its log file, as fast as they go`,
  async run(bench) {
    const bytes = Math.floor((bench.options.megabytes * megabyte) / lineBytes) * lineBytes
    bench.sheet.note(`${bench.options.megabytes} MB of lines; CPU is that of what the runtime keeps`)
    await interleave(bench, async (subject, record) => {
      const { ms, cpu } = await writeLog(bench, subject, bytes)
      record({ metric: 'throughput', unit: 'MB/s', value: bytes / 1000 / ms })
      record({ metric: 'CPU', unit: 's/GB', value: cpu / (bytes / megabyte) })
    })
  },
}

async function writeLog(
  { signal }: Bench,
  subject: Subject,
  bytes: number,
): Promise<{ readonly ms: number; readonly cpu: number }> {
  const { cri, image } = subject
  const config = benchPod(subject)
  const gate = join(subject.scratch.dir, `gate-${config.hostname ?? ''}`)
  await mkdir(gate)
  const line = 'x'.repeat(lineBytes - 1)
  const print = `yes ${line} | head -c ${bytes}; echo ${lastLine}; exec sleep 1000000`
  const container = containerConfig(image, {
    shell: `until [ -e /gate/open ]; do sleep 0.02; done; ${print}`,
    mounts: [{ hostPath: gate, containerPath: '/gate', readonly: true }],
  })
  const id = await cri.runPod(config)
  const containerId = await cri.createContainer(id, container, config)
  await cri.startContainer(containerId)
  const processes = await keptProcesses(subject)
  const path = join(config.logDirectory ?? '', 'main.log')
  const before = await cpuMs(processes)
  // Through a mount, so that the start of the output costs the runtime nothing.
  await writeFile(join(gate, 'open'), '')
  await until(signal, async () => (await sizeOf(path)) > 0)
  const begin = performance.now()
  await until(signal, async () => (await sizeOf(path)) > bytes && (await tailOf(path)).includes(lastLine))
  const ms = performance.now() - begin
  const cpu = (await cpuMs(processes)) - before
  await removePod(subject, { id, config, containers: [containerId] })
  return { ms, cpu }
}

async function until(signal: AbortSignal, isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + logTimeoutMs
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`the log does not end within ${logTimeoutMs / 1000} s`)
    await delay(lookMs, undefined, { signal })
  }
}

/** 0 if it is not there yet. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(tailBytes),
      position: Math.max(0, size - tailBytes),
    })
    return buffer.subarray(0, bytesRead).toString()
  } finally {
    await file.close()
  }
}
