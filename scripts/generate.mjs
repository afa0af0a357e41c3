// Compiles cri/grpc/proto/api.proto into generated/api.js and api.d.ts. Does nothing when both are up to date.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const proto = join(root, 'cri/grpc/proto/api.proto')
const output = join(root, 'generated')
const stamp = join(output, 'api.stamp')

// Slim code: what serialises, and nothing that verifies, converts or creates.
const form = [
  '-t',
  'static-module',
  '-w',
  'es6',
  '--force-long',
  '--no-create',
  '--no-verify',
  '--no-convert',
]
const shared = [...form, '--no-delimited']

const wanted = createHash('sha256')
  .update(readFileSync(proto))
  .update(readFileSync(fileURLToPath(import.meta.url)))
  .digest('hex')
const isCurrent =
  existsSync(join(output, 'api.js')) &&
  existsSync(join(output, 'api.d.ts')) &&
  existsSync(stamp) &&
  readFileSync(stamp, 'utf8') === wanted
if (!isCurrent) generate()

function generate() {
  mkdirSync(output, { recursive: true })
  const work = mkdtempSync(join(output, 'work-'))
  try {
    run('pbjs', [...shared, '--no-comments', '-o', join(work, 'api.js'), proto])
    run('pbjs', [...shared, '-o', join(work, 'commented.js'), proto])
    run('pbts', ['-o', join(work, 'api.d.ts'), join(work, 'commented.js')])
    append(join(work, 'api.js'), 'export const v1 = runtime.v1\n')
    append(join(work, 'api.d.ts'), 'export import v1 = runtime.v1\n')
    // The class that an ES module gets by importing "long", so that there is only one type of that name.
    replace(join(work, 'api.d.ts'), 'import Long = require("long");', 'import Long from "long";')
    renameSync(join(work, 'api.js'), join(output, 'api.js'))
    renameSync(join(work, 'api.d.ts'), join(output, 'api.d.ts'))
    writeFileSync(stamp, wanted)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function append(path, line) {
  writeFileSync(path, `${readFileSync(path, 'utf8')}\n${line}`)
}

function replace(path, from, to) {
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${path} does not contain: ${from}`)
  writeFileSync(path, text.replace(from, to))
}

function run(program, args) {
  execFileSync(join(root, 'node_modules/.bin', program), args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}
