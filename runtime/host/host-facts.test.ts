import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { isKind } from '#base/errors'
import { parseCapabilities } from './capabilities.ts'
import { gatherHostFacts, goArchitecture, parseHardLimits, parseKernelVersion } from './host-facts.ts'

describe('facts about the host', () => {
  it('are what this machine shows', async () => {
    const facts = await gatherHostFacts({ cgroupDriver: 'auto' })
    const { stdout } = await promisify(execFile)('uname', ['-rm'])
    const [release = '', machine] = stdout.trim().split(' ')
    assert.ok(release.startsWith(`${facts.kernel.major}.${facts.kernel.minor}.`))
    if (machine === 'x86_64') assert.equal(facts.architecture, 'amd64')
    assert.equal(facts.capabilities.has('CAP_CHOWN'), true)
    assert.equal(facts.oomScore.own, Number(await readFile('/proc/self/oom_score_adj', 'utf8')))
    assert.equal(Object.isFrozen(facts), true)
  })

  it('say that the OOM score can be lowered only when it can', async () => {
    const { oomScore } = await gatherHostFacts({ cgroupDriver: 'auto' })
    const lower = promisify(execFile)('sh', ['-c', `echo ${oomScore.own - 1} > /proc/self/oom_score_adj`])
    assert.equal(
      await lower.then(
        () => true,
        () => false,
      ),
      oomScore.canLower,
    )
  })

  it('say whether AppArmor is on from a flag of sysfs, which shows a page as its size', async () => {
    for (const name of ['ignore_loglevel', 'time']) {
      const apparmorPath = `/sys/module/printk/parameters/${name}`
      const { hasApparmor } = await gatherHostFacts({ cgroupDriver: 'auto', apparmorPath })
      assert.equal(hasApparmor, (await readFile(apparmorPath, 'utf8')).trim() === 'Y')
    }
  })

  it('say that AppArmor is off where the kernel has none', async () => {
    const apparmorPath = '/sys/module/no-such-module/parameters/enabled'
    const { hasApparmor } = await gatherHostFacts({ cgroupDriver: 'auto', apparmorPath })
    assert.equal(hasApparmor, false)
  })

  it('know an architecture by the name that OCI uses', () => {
    const names = ['x64', 'arm64', 'ppc64', 's390x', 'riscv64', 'ia32'].map(goArchitecture)
    assert.deepEqual(names, ['amd64', 'arm64', 'ppc64le', 's390x', 'riscv64', '386'])
  })

  it('hold the hard limits that are limits', () => {
    const text = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             96365                96366                processes
Max open files            1024                 20000                files
Max nice priority         0                    0
`
    assert.deepEqual(
      [...parseHardLimits(text)],
      [
        ['RLIMIT_NPROC', 96_366],
        ['RLIMIT_NOFILE', 20_000],
        ['RLIMIT_NICE', 0],
      ],
    )
    assert.deepEqual([...parseHardLimits('nonsense')], [])
  })

  it('know the kernel by two numbers, whatever follows', () => {
    assert.deepEqual(parseKernelVersion('6.18.44-fc-v669'), { major: 6, minor: 18 })
    assert.deepEqual(parseKernelVersion('unknown'), { major: 0, minor: 0 })
  })
})

describe('a set of capabilities', () => {
  const status = 'Name:\tx\nCapInh:\t0000000000000000\nCapBnd:\t0000020000000003\nCapEff:\t000001fffeffffff\n'

  it('is read bit by bit, without capabilities newer than the list', () => {
    assert.deepEqual([...parseCapabilities(status, 'CapBnd')], ['CAP_CHOWN', 'CAP_DAC_OVERRIDE'])
    assert.deepEqual([...parseCapabilities(status, 'CapInh')], [])
  })

  it('may lack one in the middle', () => {
    const found = parseCapabilities(status, 'CapEff')
    assert.equal(found.size, 40)
    assert.equal(found.has('CAP_SYS_RESOURCE'), false)
  })

  it('is an error when the kernel does not show it', () => {
    assert.throws(
      () => parseCapabilities(status, 'CapAmb'),
      err => isKind(err, 'internal'),
    )
  })
})
