import { mkdir, rm } from 'node:fs/promises'
import { eventually } from './eventually.ts'
import { listDirectory, readText } from './files.ts'
import { mustRun, runProgram } from './program.ts'
import { cgroupDirs, type Scratch } from './scratch.ts'

/** What a reboot does to a node, as far as one world goes, and parts of it. For `all` the daemon must be down. */
export const reboot = { killShims, killProcesses, all }

async function killShims(scratch: Scratch): Promise<void> {
  await kill(scratch, isShim)
}

/** Kills shims first, so that they cannot write exit files, then what they looked after. */
async function killProcesses(scratch: Scratch): Promise<void> {
  await kill(scratch, isShim)
  await kill(scratch, isContained)
}

type IsVictim = (scratch: Scratch, pid: string) => Promise<boolean>

async function kill(scratch: Scratch, isVictim: IsVictim): Promise<void> {
  for (const pid of await listDirectory('/proc')) {
    if (/^\d+$/.test(pid) && (await isVictim(scratch, pid))) {
      await eventually(`process ${pid} is gone`, () => isKilled(Number(pid)))
    }
  }
}

async function isShim(scratch: Scratch, pid: string): Promise<boolean> {
  const command = await readText(`/proc/${pid}/cmdline`)
  return command.includes('lighter-shim') && command.includes(`${scratch.dir}/`)
}

async function isContained(scratch: Scratch, pid: string): Promise<boolean> {
  return (await readText(`/proc/${pid}/cgroup`)).includes(`${scratch.cgroupParent}/`)
}

async function isKilled(pid: number): Promise<boolean> {
  const state = (await readText(`/proc/${String(pid)}/stat`)).replace(/^.*\) /s, '')
  if (state === '' || state.startsWith('Z')) return true
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    return true // gone between the two looks
  }
  return false
}

/** Processes, mounts, namespaces, interfaces, firewall rules, cgroups and the state directory; not the root. */
async function all(scratch: Scratch): Promise<void> {
  await killProcesses(scratch)
  const mountinfo = await readText('/proc/self/mountinfo')
  const mounts = mountinfo.split('\n').map(line => line.split(' ')[4] ?? '')
  for (const path of mounts.reverse()) {
    if (path.startsWith(`${scratch.dir}/`)) await runProgram(['umount', '-l', path])
  }
  await runProgram(['ip', 'link', 'delete', scratch.bridge])
  for (const path of await cgroupDirs(scratch.cgroupParent)) {
    await runProgram(['find', path, '-depth', '-mindepth', '1', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
  }
  await removeFirewallRules(scratch)
  await rm(scratch.stateDir, { recursive: true, force: true })
  await mkdir(scratch.stateDir, { recursive: true })
}

/** Rules and chains of the world's network; the rules of a CNI chain name the network in their comment. */
async function removeFirewallRules(scratch: Scratch): Promise<void> {
  const { stdout } = await runProgram(['iptables-save', '-t', 'nat'])
  const rules = stdout
    .split('\n')
    .filter(line => line.startsWith('-A ') && line.includes(scratch.networkName))
  const chains = new Set(
    rules.map(rule => rule.split(' ')[1] ?? '').filter(chain => chain.startsWith('CNI-')),
  )
  const commands = [
    ...rules.map(rule => `iptables -w -t nat -D ${rule.slice('-A '.length)}`),
    ...[...chains].map(chain => `iptables -w -t nat -X ${chain}`),
  ]
  await mustRun(['sh', '-ec', commands.join('\n')])
}
