import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isJsonObject, type JsonObject, parseJsonObject } from '../json.ts'
import { supportedVersions } from '../version.ts'

/** What a fake plugin does for a command: lines of sh; absent: ADD answers one address, the others nothing. */
export interface FakeAnswers {
  readonly versions?: readonly string[]
  readonly ADD?: string
  readonly DEL?: string
  readonly CHECK?: string
  readonly STATUS?: string
  readonly GC?: string
  readonly VERSION?: string
}

/** One run of a fake plugin, as it saw it. */
export interface FakeCall {
  readonly type: string
  readonly command: string
  readonly env: Readonly<Record<string, string>>
  readonly request: JsonObject
}

export function printing(json: unknown): string {
  return `cat <<'END'\n${typeof json === 'string' ? json : JSON.stringify(json)}\nEND`
}

export function failing(error: unknown, exitCode = 1): string {
  return `${printing(error)}\nexit ${exitCode}`
}

export const oneAddress = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'eth0', sandbox: '/run/netns/x' }],
  ips: [{ address: '10.9.8.7/24', gateway: '10.9.8.1', interface: 0 }],
}

/** Puts a plugin into `directory`/bin that records how it was called. */
export async function installPlugin(
  directory: string,
  type: string,
  answers: FakeAnswers = {},
): Promise<void> {
  const calls = join(directory, 'calls')
  await mkdir(calls, { recursive: true })
  await mkdir(join(directory, 'bin'), { recursive: true })
  const versions = { cniVersion: '1.0.0', supportedVersions: answers.versions ?? supportedVersions }
  const script = `#!/bin/sh
call="${calls}/$(date +%s%N)-${type}"
{ env; echo ---; cat; } > "$call.tmp"
mv "$call.tmp" "$call"
case "$CNI_COMMAND" in
VERSION) ${answers.VERSION ?? printing(versions)}
;;
ADD) ${answers.ADD ?? printing(oneAddress)}
;;
DEL) ${answers.DEL ?? ':'}
;;
CHECK) ${answers.CHECK ?? ':'}
;;
STATUS) ${answers.STATUS ?? ':'}
;;
GC) ${answers.GC ?? ':'}
;;
esac
`
  const path = join(directory, 'bin', type)
  await writeFile(`${path}.new`, script, { mode: 0o755 })
  await rename(`${path}.new`, path)
}

/** Writes a conf list of these plugins into `directory`/conf; a plugin is a type or its whole object. */
export async function writeConfList(
  directory: string,
  plugins: readonly (string | JsonObject)[],
  changes: JsonObject = {},
): Promise<string> {
  const file = join(directory, 'conf', '10-test.conflist')
  await mkdir(join(directory, 'conf'), { recursive: true })
  const list = {
    cniVersion: '1.0.0',
    name: 'test',
    plugins: plugins.map(plugin => (isJsonObject(plugin) ? plugin : { type: plugin })),
    ...changes,
  }
  await writeFile(file, JSON.stringify(list))
  return file
}

/** The calls so far, in order, without VERSION. */
export async function calls(directory: string): Promise<readonly FakeCall[]> {
  return (await allCalls(directory)).filter(call => call.command !== 'VERSION')
}

/** `type COMMAND` of the calls so far, in order, without VERSION. */
export async function callNames(directory: string): Promise<readonly string[]> {
  return (await calls(directory)).map(call => `${call.type} ${call.command}`)
}

export async function allCalls(directory: string): Promise<readonly FakeCall[]> {
  const names = (await readdir(join(directory, 'calls'))).filter(name => !name.endsWith('.tmp')).sort()
  return await Promise.all(names.map(name => readCall(join(directory, 'calls', name))))
}

async function readCall(file: string): Promise<FakeCall> {
  const [environment = '', request = ''] = (await readFile(file, 'utf8')).split('---\n')
  const env = Object.fromEntries(
    environment
      .split('\n')
      .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  return {
    type: file.slice(file.lastIndexOf('-') + 1),
    command: env['CNI_COMMAND'] ?? '',
    env,
    request: parseJsonObject(request),
  }
}
