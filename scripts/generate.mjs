// Compiles what is spoken in protocol buffers into generated/NAME.js and NAME.d.ts. Does nothing when they are up to date.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const output = join(root, 'generated')

// The packages that a codec gives, by the name under which its importers know them.
const codecs = [
  { name: 'api', protos: ['cri/grpc/proto/api.proto'], packages: { v1: 'runtime.v1' } },
  {
    name: 'nri',
    protos: ['nri/wire/nri.proto', 'nri/wire/ttrpc.proto'],
    packages: { api: 'nri.pkg.api.v1alpha1', rpc: 'ttrpc' },
  },
]

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

for (const codec of codecs) {
  const wanted = fingerprint(codec)
  if (!isCurrent(codec.name, wanted)) generate(codec, wanted)
}

function fingerprint({ protos }) {
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)))
  for (const proto of protos) hash.update(readFileSync(join(root, proto)))
  return hash.digest('hex')
}

function isCurrent(name, wanted) {
  const files = ['js', 'd.ts', 'stamp'].map(end => join(output, `${name}.${end}`))
  return files.every(file => existsSync(file)) && readFileSync(files[2], 'utf8') === wanted
}

function generate({ name, protos, packages }, wanted) {
  mkdirSync(output, { recursive: true })
  const work = mkdtempSync(join(output, 'work-'))
  const [code, types] = [join(work, `${name}.js`), join(work, `${name}.d.ts`)]
  const inputs = protos.map(proto => join(root, proto))
  try {
    run('pbjs', [...shared, '--root', name, '--no-comments', '-o', code, ...inputs])
    run('pbjs', [...shared, '--root', name, '-o', join(work, 'commented.js'), ...inputs])
    run('pbts', ['-o', types, join(work, 'commented.js')])
    for (const [alias, path] of Object.entries(packages)) {
      append(code, `export const ${alias} = ${path}\n`)
      append(types, `export import ${alias} = ${path}\n`)
    }
    // The class that an ES module gets by importing "long", so that there is only one type of that name.
    replace(types, 'import Long = require("long");', 'import Long from "long";')
    renameSync(code, join(output, `${name}.js`))
    renameSync(types, join(output, `${name}.d.ts`))
    writeFileSync(join(output, `${name}.stamp`), wanted)
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
