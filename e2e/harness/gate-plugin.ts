import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathExists } from '#base/files'
import { readText } from './files.ts'
import { cniBinDirs } from './paths.ts'
import { type Scratch, writeConfList } from './scratch.ts'

/** How the gate behaves: `ok`, or the CNI command at which it misbehaves and how; `wait`: until the mode is another. */
export type GateMode = 'ok' | `${'ADD' | 'DEL'}:${'fail' | 'hang' | 'garbage' | 'flood' | 'wait'}`

/** A CNI plugin at the end of the chain that works or fails as told. */
export interface Gate {
  readonly binDir: string
  set(...modes: readonly GateMode[]): Promise<void>
  /** The commands that it was called with, without VERSION, since it was installed. */
  calls(): Promise<readonly string[]>
}

/** Installs the gate beside links to the real plugins, and puts it at the end of the conf list. */
export async function installGate(scratch: Scratch): Promise<Gate> {
  const binDir = join(scratch.dir, 'cni-bin')
  const modePath = join(scratch.dir, 'gate-mode')
  await mkdir(binDir)
  for (const name of ['bridge', 'host-local', 'portmap', 'loopback']) {
    for (const dir of [...cniBinDirs].reverse()) {
      if (await pathExists(join(dir, name))) {
        await symlink(join(dir, name), join(binDir, name))
        break
      }
    }
  }
  const callsPath = join(scratch.dir, 'gate-calls')
  await writeFile(callsPath, '')
  await writeFile(join(binDir, 'gate'), gateScript(modePath, callsPath))
  await chmod(join(binDir, 'gate'), 0o755)
  await writeConfList(scratch, [{ type: 'gate' }])
  const set = (...modes: readonly GateMode[]): Promise<void> => writeFile(modePath, modes.join())
  await set('ok')
  const calls = async (): Promise<readonly string[]> => (await readText(callsPath)).split('\n').slice(0, -1)
  return { binDir, set, calls }
}

function gateScript(modePath: string, callsPath: string): string {
  return `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs')
const command = process.env.CNI_COMMAND
if (command === 'VERSION') {
  console.log(JSON.stringify({ cniVersion: '1.0.0', supportedVersions: ['0.3.1', '0.4.0', '1.0.0'] }))
  process.exit(0)
}
appendFileSync(${JSON.stringify(callsPath)}, command + '\\n')
const look = () => {
  const modes = readFileSync(${JSON.stringify(modePath)}, 'utf8').split(',')
  return modes.map(mode => mode.split(':')).find(([at]) => at === command)?.[1]
}
let how = look()
while (how === 'wait') {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  how = look()
}
if (how === 'fail') {
  console.log(JSON.stringify({ cniVersion: '1.0.0', code: 111, msg: 'the gate is closed' }))
  process.exit(1)
}
if (how === 'garbage') console.log('{"no json')
else if (how === 'flood') process.stdout.write('x'.repeat(64 << 20))
else if (how === 'hang') setInterval(() => {}, 1000)
else if (command === 'ADD') console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).prevResult))
`
}
