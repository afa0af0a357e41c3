import assert from 'node:assert/strict'
import test from 'node:test'
import { createCrictl, whyNoCrictl } from '../harness/crictl.ts'
import { eventually } from '../harness/eventually.ts'
import { type Story, useWorld } from '../harness/world.ts'

const story = useWorld()
const skip = await whyNoCrictl()

/** Commands that other stories run, or that do not speak to a runtime. */
const elsewhere = new Map([
  ['attach', 'streaming.test.ts'],
  ['checkpoint', 'checkpoint.test.ts'],
  ['completion', 'speaks to nobody'],
  ['config', 'speaks to nobody'],
  ['create', 'crictl.test.ts'],
  ['events', 'events.test.ts'],
  ['help', 'speaks to nobody'],
  ['images', 'crictl.test.ts'],
  ['inspecti', 'crictl.test.ts'],
  ['port-forward', 'streaming.test.ts'],
  ['pull', 'crictl.test.ts'],
  ['rm', 'crictl.test.ts'],
  ['rmi', 'crictl.test.ts'],
  ['rmp', 'crictl.test.ts'],
  ['run', 'crictl.test.ts'],
  ['runp', 'crictl.test.ts'],
  ['start', 'crictl.test.ts'],
  ['stop', 'crictl.test.ts'],
  ['stopp', 'crictl.test.ts'],
  ['version', 'crictl.test.ts'],
])

interface Running {
  readonly podId: string
  readonly containerId: string
}

interface Case {
  readonly args: (running: Running) => readonly string[]
  readonly says: RegExp
}

const cases: Readonly<Record<string, Case>> = {
  exec: {
    args: ({ containerId }) => ['exec', containerId, 'echo', 'over the stream'],
    says: /^over the stream$/m,
  },
  imagefsinfo: { args: () => ['imagefsinfo'], says: /"mountpoint":/ },
  info: { args: () => ['info'], says: /"type": "RuntimeReady"/ },
  inspect: { args: ({ containerId }) => ['inspect', containerId], says: /"state": "CONTAINER_RUNNING"/ },
  inspectp: { args: ({ podId }) => ['inspectp', podId], says: /"state": "SANDBOX_READY"/ },
  logs: { args: ({ containerId }) => ['logs', '--tail', '1', containerId], says: /^tick$/m },
  metricdescs: { args: () => ['metricdescs'], says: /container_cpu_usage_seconds_total/ },
  metricsp: { args: () => ['metricsp'], says: /container_memory_working_set_bytes/ },
  pods: { args: () => ['pods', '-q', '--no-trunc'], says: /^[0-9a-f]{64}$/m },
  ps: { args: () => ['ps', '-q', '--no-trunc'], says: /^[0-9a-f]{64}$/m },
  'runtime-config': { args: () => ['runtime-config'], says: /cgroupfs|systemd/i },
  stats: { args: ({ containerId }) => ['stats', containerId], says: /CPU/ },
  statsp: { args: ({ podId }) => ['statsp', podId], says: /CPU/ },
  update: { args: ({ containerId }) => ['update', '--cpu-share', '512', containerId], says: /[0-9a-f]{64}/ },
  'update-runtime-config': { args: () => ['update-runtime-config', '10.1.0.0/24'], says: /^/ },
}

async function running(s: Story): Promise<Running> {
  const pod = await s.runPod()
  const command = ['sh', '-c', 'while :; do echo tick; sleep 1; done']
  const containerId = await s.run(pod, { command })
  return { podId: pod.id, containerId }
}

test(
  'every command that crictl has is run by a story',
  { skip },
  story(async ({ scratch }) => {
    const crictl = await createCrictl(scratch)
    const help = await crictl('--help')
    const [, commands = ''] = /COMMANDS:\n([\s\S]*?)\n\n/.exec(help) ?? []
    const names = [...commands.matchAll(/^ {3}([a-z-]+)/gm)].map(([, name = '']) => name)
    assert.ok(names.length >= 34, commands)
    assert.deepEqual(
      names.filter(name => !(name in cases) && !elsewhere.has(name)),
      [],
    )
  }),
)

test(
  'every command answers',
  { skip },
  story(async s => {
    const crictl = await createCrictl(s.scratch)
    const ids = await running(s)
    for (const [name, { args, says }] of Object.entries(cases)) {
      await eventually(`crictl ${name} says ${String(says)}`, async () =>
        says.test(await crictl(...args(ids))),
      )
    }
  }),
)

test(
  'crictl update changes what the container may use, and inspect shows it',
  { skip },
  story(async s => {
    const crictl = await createCrictl(s.scratch)
    const { containerId } = await running(s)
    await crictl('update', '--memory', String(64 * 1024 * 1024), '--cpu-quota', '20000', containerId)
    const status = await crictl('inspect', containerId)
    assert.match(status, /"memoryLimitInBytes": "?67108864/)
    assert.match(status, /"cpuQuota": "?20000/)
  }),
)
