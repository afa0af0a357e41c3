import tseslint from 'typescript-eslint'

const typescript = ['**/*.ts']

const restricted = [
  { selector: 'ExportDefaultDeclaration', message: 'name what you export' },
  { selector: 'TSEnumDeclaration', message: 'use a union' },
  {
    selector:
      "CallExpression[callee.type='MemberExpression'][callee.property.name=/Sync$/][callee.object.name!='containers']",
    message: 'the daemon never blocks its event loop: use the promise form',
  },
]

export default tseslint.config(
  {
    ignores: [
      'build/**',
      'dist/**',
      'generated/**',
      'node_modules/**',
      '.cache/**',
      '*.cjs',
      'eslint.config.js',
    ],
  },
  { files: typescript, extends: [tseslint.configs.strictTypeChecked] },
  {
    files: typescript,
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', { max: 70, skipComments: true }],
      'max-params': ['error', 3],
      'no-restricted-syntax': ['error', ...restricted],
      'no-console': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { allowDefaultCaseForExhaustiveSwitch: false },
      ],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'as' }],
    },
  },
  {
    // Tests may be long stories, and node:test answers promises that the runner itself awaits.
    files: ['**/*.test.ts', '**/*.contract.ts', 'e2e/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'it', 'describe', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
)
