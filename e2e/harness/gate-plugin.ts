import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathExists } from '#base/files'
import { cniBinDirs } from './paths.ts'
import { type Scratch, writeConfList } from './scratch.ts'

/** How the gate behaves: `ok`, or the CNI command at which it misbehaves and how. */
export type GateMode = 'ok' | `${'ADD' | 'DEL'}:${'fail' | 'hang' | 'garbage' | 'flood'}`

/** A CNI plugin at the end of the chain that works or fails as told. */
export interface Gate {
  readonly binDir: string
  set(mode: GateMode): Promise<void>
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
  await writeFile(join(binDir, 'gate'), gateScript(modePath))
  await chmod(join(binDir, 'gate'), 0o755)
  await writeConfList(scratch, [{ type: 'gate' }])
  const set = (mode: GateMode): Promise<void> => writeFile(modePath, mode)
  await set('ok')
  return { binDir, set }
}

function gateScript(modePath: string): string {
  return `#!${process.execPath}
const { readFileSync } = require('node:fs')
const command = process.env.CNI_COMMAND
if (command === 'VERSION') {
  console.log(JSON.stringify({ cniVersion: '1.0.0', supportedVersions: ['0.3.1', '0.4.0', '1.0.0'] }))
  process.exit(0)
}
const [at, how] = readFileSync(${JSON.stringify(modePath)}, 'utf8').split(':')
if (at === command && how === 'fail') {
  console.log(JSON.stringify({ cniVersion: '1.0.0', code: 111, msg: 'the gate is closed' }))
  process.exit(1)
}
if (at === command && how === 'garbage') console.log('{"no json')
else if (at === command && how === 'flood') process.stdout.write('x'.repeat(64 << 20))
else if (at === command && how === 'hang') setInterval(() => {}, 1000)
else if (command === 'ADD') console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).prevResult))
`
}
