import { cp, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readText } from '../harness/files.ts'
import { projectDir } from '../harness/paths.ts'
import { mustRun } from '../harness/program.ts'
import { packJob } from './job.ts'
import { boot } from './machine.ts'

// npm run e2e:vm [-- FILTER]: the smoke suite in a machine with cgroup v2, systemd and AppArmor. E2E_VM_MINUTES is how
// long it may take, 8 if not set. What it left is in .cache/vm/last: smoke.tap, journal.log, dmesg.log.

const defaultMinutes = 8
const makeTimeoutMs = 900_000
/** For booting, packing results and turning off. */
const aroundSeconds = 60

async function main(filter: string): Promise<number> {
  const minutes = Number(process.env['E2E_VM_MINUTES'] ?? defaultMinutes)
  const begin = Date.now()
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`)
  }
  const made = await mustRun(['bash', join(projectDir, 'e2e', 'vm', 'make-machine.sh')], {
    timeoutMs: makeTimeoutMs,
  })
  const machineDir = made.trim().split('\n').at(-1) ?? ''
  const workDir = await mkdtemp(join(dirname(machineDir), 'run.'))
  try {
    const job = join(workDir, 'job.tar')
    await packJob(workDir, job, { filter, timeoutSeconds: minutes * 60 - aroundSeconds })
    say(`e2e:vm: job packed after ${String(Math.round((Date.now() - begin) / 1000))} s, booting`)
    const results = await boot({ machineDir, workDir, job, timeoutMs: minutes * 60_000, onLine: say })
    const last = join(projectDir, '.cache', 'vm', 'last')
    await rm(last, { recursive: true, force: true })
    await cp(results, last, { recursive: true })
    const exitCode = (await readText(join(results, 'exit-code'))).trim()
    const tap = await readText(join(results, 'smoke.tap'))
    const count = (name: string): string => new RegExp(`^# ${name} (\\d+)$`, 'm').exec(tap)?.[1] ?? '?'
    say(
      `e2e:vm: ${count('pass')} passed, ${count('fail')} failed, ${count('skipped')} skipped, exit code ${exitCode}, ` +
        `${String(Math.round((Date.now() - begin) / 1000))} s`,
    )
    return exitCode === '0' && count('pass') !== '0' ? 0 : 1
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

process.exitCode = await main(process.argv[2] ?? '')
