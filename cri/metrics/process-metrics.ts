import { readdir } from 'node:fs/promises'
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** How often the event loop is asked how late it is; each look wakes the process. */
const sampleIntervalMs = 200

const delayBuckets: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const gcBuckets: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

const gcKinds = new Map<unknown, string>([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak'],
])

export interface ProcessMetrics {
  /** Reads what is known at this moment into the registry. */
  collect(): Promise<void>
  stop(): void
}

/** The daemon's own process, and how well its event loop does. Measures until it is stopped. */
export function createProcessMetrics(registry: Registry): ProcessMetrics {
  const setMemory = memoryMetrics(registry)
  const setProcess = processMetrics(registry)
  const stopDelays = measureDelays(registry)
  const stopGc = measureGc(registry)
  return {
    async collect() {
      setMemory()
      await setProcess()
    },
    stop() {
      stopDelays()
      stopGc()
    },
  }
}

function memoryMetrics(registry: Registry): () => void {
  const registers = [registry]
  const used = new Gauge({ name: 'lighter_heap_used_bytes', help: 'JavaScript heap in use.', registers })
  const size = new Gauge({ name: 'lighter_heap_size_bytes', help: 'Size of the JavaScript heap.', registers })
  const external = new Gauge({
    name: 'lighter_external_memory_bytes',
    help: 'Memory outside the heap that belongs to JavaScript objects, buffers included.',
    registers,
  })
  const resident = new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the daemon.',
    registers,
  })
  return () => {
    const memory = process.memoryUsage()
    used.set(memory.heapUsed)
    size.set(memory.heapTotal)
    external.set(memory.external)
    resident.set(memory.rss)
  }
}

function processMetrics(registry: Registry): () => Promise<void> {
  const registers = [registry]
  const cpu = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the daemon, in user and kernel mode.',
    registers,
  })
  const files = new Gauge({
    name: 'process_open_fds',
    help: 'Open file descriptors of the daemon.',
    registers,
  })
  const started = new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the daemon was started, in seconds since the epoch.',
    registers,
  })
  started.set(performance.timeOrigin / 1000)
  return async () => {
    const { user, system } = process.cpuUsage()
    cpu.reset()
    cpu.inc((user + system) / 1e6)
    // The directory is open while it is read.
    files.set((await readdir('/proc/self/fd')).length - 1)
  }
}

function measureDelays(registry: Registry): () => void {
  const delays = new Histogram({
    name: 'lighter_event_loop_delay_seconds',
    help: 'How late a timer of the daemon ran, measured five times a second.',
    buckets: [...delayBuckets],
    registers: [registry],
  })
  let lastMs = performance.now()
  const timer = setInterval(() => {
    const nowMs = performance.now()
    delays.observe(Math.max(0, nowMs - lastMs - sampleIntervalMs) / 1000)
    lastMs = nowMs
  }, sampleIntervalMs)
  timer.unref()
  return () => {
    clearInterval(timer)
  }
}

function measureGc(registry: Registry): () => void {
  const pauses = new Histogram({
    name: 'lighter_gc_duration_seconds',
    help: 'Garbage collections of the daemon, by kind: minor, major, incremental, weak.',
    labelNames: ['kind'],
    buckets: [...gcBuckets],
    registers: [registry],
  })
  const observer = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) pauses.observe({ kind: gcKindOf(entry) }, entry.duration / 1000)
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => {
    observer.disconnect()
  }
}

function gcKindOf(entry: object): string {
  const detail: unknown = 'detail' in entry ? entry.detail : undefined
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined
  return gcKinds.get(kind) ?? 'other'
}
