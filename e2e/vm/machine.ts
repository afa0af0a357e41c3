import { spawn } from 'node:child_process'
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { mustRun } from '../harness/program.ts'

export interface Boot {
  /** Directory that make-machine.sh made. */
  readonly machineDir: string
  readonly workDir: string
  /** Archive with /job/run. */
  readonly job: string
  /** The machine is turned off when it is still running after that. */
  readonly timeoutMs: number
  /** Gets every line that the guest writes. */
  readonly onLine: (line: string) => void
}

const resultBytes = 64 * 1024 * 1024
const memoryMiB = 2048

const kernelParameters = [
  'console=ttyS0',
  'quiet',
  'root=/dev/vda',
  'rw',
  'systemd.unit=smoke.target',
  'systemd.unified_cgroup_hierarchy=1',
  'apparmor=1',
  'security=apparmor',
  'psi=1',
  'mitigations=off',
  'audit=0',
  'tsc=reliable',
  'panic=-1',
]

/**
 * Boots the machine, lets it run the job, and answers the directory with the results. The root file system is a layer
 * over the cached one and goes with `workDir`. Errors: the machine did not come to its end in time.
 */
export async function boot(options: Boot): Promise<string> {
  const { machineDir, workDir, job } = options
  const [root, blank, results] = [
    join(workDir, 'root.qcow2'),
    join(workDir, 'results.raw'),
    join(workDir, 'results'),
  ]
  await mustRun([
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'qcow2',
    '-b',
    join(machineDir, 'root.qcow2'),
    root,
  ])
  await writeFile(blank, '')
  await truncate(blank, resultBytes)
  await mkdir(results)
  const disks = [
    { file: root, format: 'qcow2' },
    { file: job, format: 'raw' },
    { file: blank, format: 'raw' },
  ]
  await run(options, [
    ...['-M', 'q35,hpet=on', '-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max,-cx16', '-smp', '2'],
    ...['-m', String(memoryMiB), '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-serial', 'stdio'],
    ...['-kernel', join(machineDir, 'kernel'), '-initrd', join(machineDir, 'initrd')],
    ...['-append', kernelParameters.join(' ')],
    ...disks.flatMap(({ file, format }, index) => [
      ...['-drive', `file=${file},format=${format},if=none,id=disk${String(index)},cache=unsafe`],
      ...['-device', `virtio-blk-pci,drive=disk${String(index)}`],
    ]),
  ])
  await mustRun(['tar', '-xf', blank, '-C', results])
  return results
}

async function run({ timeoutMs, onLine }: Boot, args: readonly string[]): Promise<void> {
  const child = spawn('nice', ['-n', '5', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  createInterface({ input: child.stdout }).on('line', onLine)
  createInterface({ input: child.stderr }).on('line', onLine)
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.on('error', reject)
      child.on('close', (exitCode, endSignal) => {
        resolve({ code: exitCode, signal: endSignal })
      })
    },
  )
  if (signal !== null) throw new Error(`the machine was turned off after ${String(timeoutMs / 1000)} s`)
  if (code !== 0) throw new Error(`qemu failed with exit code ${String(code)}`)
}
