/** What `tsc -b` cannot say: no cycles, layers inside a project, and which npm package may be used where. */
const only = (name, allowed) => ({
  name: `only-there-${name}`,
  severity: 'error',
  from: { pathNot: [allowed, '^e2e/', '^generated/', '^scripts/'] },
  to: { path: `node_modules/${name}/` },
})

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
      to: { path: '^(cri|runtime/(?!base/)|e2e|deploy)' },
    },
    {
      name: 'rooms-know-no-door',
      severity: 'error',
      from: { path: '^runtime/' },
      to: { path: '^(cri|e2e|deploy)/' },
    },
    {
      name: 'doors-see-the-engine-only',
      severity: 'error',
      from: { path: '^cri/', pathNot: '^cri/daemon' },
      to: { path: '^(cni|shim|runtime)/', pathNot: '^runtime/(base/|model/|engine(-config)?\\.ts$)' },
    },
    {
      name: 'model-is-pure',
      severity: 'error',
      from: { path: '^runtime/model/' },
      to: { path: '^(cni|shim|runtime/(?!base/|model/))' },
    },
    {
      name: 'images-know-no-container',
      severity: 'error',
      from: { path: '^runtime/(images|oci|host|state)/' },
      to: { path: '^runtime/(pods|containers|recovery)/' },
    },
    only('@grpc/grpc-js', '^cri/grpc/'),
    only('protobufjs', '^(cri/grpc/)'),
    only('pino', '^cri/logging\\.ts$'),
    only('js-yaml', '^cri/config/'),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(build|dist)/' },
    enhancedResolveOptions: { conditionNames: ['types', 'import', 'default'], exportsFields: ['exports'] },
  },
}
