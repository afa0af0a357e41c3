/** What `tsc -b` cannot say: no cycles, layers inside a project, and which npm package may be used where. */
const only = (name, allowed) => ({
  name: `only-there-${name}`,
  severity: 'error',
  from: { pathNot: [allowed, '^e2e/', '^generated/', '^scripts/'] },
  to: { path: `node_modules/${name}/` },
})

/** The rooms from top to bottom: each may use those below it, and its neighbours in the same row. */
const rooms = [
  ['recovery', 'checkpoints', 'sessions'],
  ['pods'],
  ['containers', 'node'],
  ['images', 'oci', 'host', 'stats', 'events', 'plugins'],
  ['state'],
  ['model'],
]

/** Production code only: tests stand beside the story they tell. */
const layersOf = (project, layers) =>
  layers.slice(1).map((names, index) => ({
    name: `${names.join('-')}-know-nothing-above`,
    severity: 'error',
    from: {
      path: `^${project}/(${names.join('|')})/`,
      pathNot: [`\\.test\\.ts$`, `^${project}/[a-z]+/testing/`],
    },
    to: {
      path: `^${project}/(${layers
        .slice(0, index + 1)
        .flat()
        .join('|')})/`,
    },
  }))

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'floor-knows-nobody',
      severity: 'error',
      from: { path: '^runtime/base/' },
      to: { pathNot: ['^runtime/base/', '^node:', '^[a-z_/]+$'] },
    },
    {
      name: 'leaves-know-the-floor-only',
      severity: 'error',
      from: { path: '^(cni|shim/client)/' },
      to: { path: '^(cri|nri|runtime/(?!base/)|e2e|deploy)' },
    },
    {
      name: 'rooms-know-no-door',
      severity: 'error',
      from: { path: '^runtime/' },
      to: { path: '^(cri|nri|e2e|deploy)/' },
    },
    {
      name: 'doors-see-the-engine-only',
      severity: 'error',
      from: { path: '^cri/', pathNot: '^cri/daemon' },
      to: { path: '^(cni|shim|runtime)/', pathNot: '^runtime/(base/|model/|engine(-config)?\\.ts$)' },
    },
    {
      name: 'plugins-see-their-port-only',
      severity: 'error',
      from: { path: '^nri/', pathNot: '(\\.test\\.ts$|^nri/testing/)' },
      to: {
        path: '^(cni|shim|cri|runtime)/',
        pathNot: '^runtime/(base/|model/|plugins/|oci/spec/types\\.ts$|engine(-config)?\\.ts$)',
      },
    },
    {
      name: 'model-is-pure',
      severity: 'error',
      from: { path: '^runtime/model/' },
      to: { path: '^(cni|shim|runtime/(?!base/|model/))' },
    },
    ...layersOf('runtime', rooms),
    only('@grpc/grpc-js', '^cri/grpc/'),
    only('protobufjs', '^(cri/grpc/)'),
    only('pino', '^cri/logging\\.ts$'),
    // CDI specs are YAML as often as JSON, and are read when a container needs a device.
    only('js-yaml', '^(cri/config/|runtime/oci/cdi/parse-document\\.ts$)'),
    only('ws', '^cri/streaming/'),
    only('prom-client', '^cri/metrics/'),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(build|dist)/' },
    enhancedResolveOptions: { conditionNames: ['types', 'import', 'default'], exportsFields: ['exports'] },
  },
}
