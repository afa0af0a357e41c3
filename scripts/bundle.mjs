// Bundles the compiled daemon and the operator's tool into one file each: dist/lighterd.js and dist/lighter.js.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')

mkdirSync(dist, { recursive: true })
// The bundles are CommonJS, as most of what is in them; the package itself is not.
writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n')

await build({
  absWorkingDir: root,
  entryPoints: { lighterd: 'build/cri/main.js', lighter: 'build/cri/cli/main.js' },
  outdir: dist,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: true,
  // A smaller file is a smaller process: the source text stays in memory. Names stay, for the stacks in the log.
  minifyWhitespace: true,
  // Only what is loaded by name at run time would need it (channelz, ORCA), and that is not used.
  external: ['@grpc/proto-loader'],
  legalComments: 'eof',
  logLevel: 'warning',
})
