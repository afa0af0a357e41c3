import { cp, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { readText } from '../harness/files.ts'
import { projectDir } from '../harness/paths.ts'
import { mustRun } from '../harness/program.ts'
import { packJob } from './job.ts'
import { boot } from './machine.ts'

const usage = `Runs a smoke suite in a machine with cgroup v2, systemd and AppArmor (Debian 12 under qemu, no KVM needed).

  npm run e2e:vm                     makes the machine if there is none, boots it, runs the suite (8 minutes)
      --tests REGEXP                 only tests whose name matches
      --critest REGEXP               after them, the specs of critest that match
      --kernel PACKAGE               with another kernel of Debian's than linux-image-cloud-amd64 (6.1); user namespaces
                                     need linux-image-6.12-cloud-amd64
      --minutes N (8)                how long it may take from power on to power off

What it left is in .cache/vm/last: smoke.tap, journal.log, dmesg.log. The exit code is 0 if all went well.
`

const makeTimeoutMs = 900_000
/** For booting, packing results and turning off. */
const aroundSeconds = 60

const { values } = parseArgs({
  options: {
    tests: { type: 'string', default: '' },
    critest: { type: 'string', default: '' },
    kernel: { type: 'string', default: 'linux-image-cloud-amd64' },
    minutes: { type: 'string', default: '8' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(usage)
else process.exitCode = await main()

async function main(): Promise<number> {
  const minutes = Number(values.minutes)
  const begin = Date.now()
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`)
  }
  const maker = join(projectDir, 'e2e', 'vm', 'make-machine.sh')
  const made = await mustRun(['bash', maker, values.kernel], { timeoutMs: makeTimeoutMs })
  const machineDir = made.trim().split('\n').at(-1) ?? ''
  const workDir = await mkdtemp(join(dirname(machineDir), 'run.'))
  try {
    const job = join(workDir, 'job.tar')
    const timeoutSeconds = minutes * 60 - aroundSeconds
    await packJob(workDir, job, { filter: values.tests, critest: values.critest, timeoutSeconds })
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
